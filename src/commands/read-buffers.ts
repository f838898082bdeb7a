import { setFlagsFromString } from 'node:v8'

/** MB; V8 looks for buffers to free at four times as many on 64-bit machines, at 8 MB. */
const ROOM = '--scavenger-max-new-space-capacity-mb=2'

/** The V8 that knows the flag, Node 24's; others would complain on standard error. */
const KNOWS = '13.'

/**
 * What sockets read lies in buffers outside of V8's heap, which stay until a collection finds that nobody holds them. V8
 * waits for 64 MB of them and then searches its whole heap. From 8 MB on it now searches what is new, where such buffers
 * are: large transfers take a third of the memory that way, and large WebSocket messages half the processor time.
 */
export function collectReadBuffers (v8 = process.versions.v8, setFlag = setFlagsFromString): void {
  if (v8.startsWith(KNOWS)) setFlag(ROOM)
}
