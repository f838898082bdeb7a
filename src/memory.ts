import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** The V8 that these flags were measured with, Node 24's; another may not know them, and complains on standard error. */
const MEASURED = '13.'

/**
 * MB; V8 looks for buffers to free at four times as many on 64-bit machines, at 8 MB. What sockets read lies in buffers
 * outside of its heap, which stay until a collection finds that nobody holds them. V8 waits for 64 MB of them and then
 * searches its whole heap. From 8 MB on it now searches what is new, where such buffers are: large transfers take a third
 * of the memory that way, and large WebSocket messages half the processor time.
 */
const BUFFERS = '--scavenger-max-new-space-capacity-mb=2'

/** Bytes of room for new objects: with half of it a request costs 3 % more, with V8's 32 MB an idle connection 15 KB more. */
const ROOM = 8 << 20

const growBy = (factor: number): string => `--semi-space-growth-factor=${factor}`
const newSpace = (): number => getHeapSpaceStatistics().reduce((sum, { space_name: name, space_size: size }) => name === 'new_space' ? size : sum, 0)

/** Sets flags of V8 where it is one that knows them. */
function setFlags (flags: readonly string[], v8: string, setFlag: (flag: string) => void): void {
  if (v8.startsWith(MEASURED)) for (const flag of flags) setFlag(flag)
}

/** Has V8 keep less, from the first module on: what starts once needs no room, and 5 MB less are held while nothing is to do. */
export function saveMemory (v8 = process.versions.v8, setFlag = setFlagsFromString): void {
  setFlags([BUFFERS, growBy(1)], v8, setFlag)
}

/** Lets the room for new objects grow with the load, up to its limit. */
export function makeRoom (v8 = process.versions.v8, setFlag = setFlagsFromString): void {
  setFlags([growBy(2)], v8, setFlag)
  new PerformanceObserver((_entries, observer) => {
    if (newSpace() < ROOM) return
    setFlags([growBy(1)], v8, setFlag)
    observer.disconnect()
  }).observe({ entryTypes: ['gc'] })
}
