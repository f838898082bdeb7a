import { setFlagsFromString } from 'node:v8'

/**
 * MB; V8 looks for buffers to free at four times as many on 64-bit machines, at 8 MB. What sockets read lies in buffers
 * outside of its heap, which stay until a collection finds that nobody holds them. V8 waits for 64 MB of them and then
 * searches its whole heap. From 8 MB on it now searches what is new, where such buffers are: large transfers take a third
 * of the memory that way, large WebSocket messages half the processor time, and no upload waits 20 ms for a collection.
 */
const BUFFERS = '--scavenger-max-new-space-capacity-mb=2'

/** The V8 that the flag was measured with, Node 24's; another may not know it, and complains on standard error. */
const MEASURED = '13.'

/** Has V8 keep less. Called once all modules are loaded. */
export function saveMemory (v8 = process.versions.v8, setFlag = setFlagsFromString): void {
  if (v8.startsWith(MEASURED)) setFlag(BUFFERS)
}
