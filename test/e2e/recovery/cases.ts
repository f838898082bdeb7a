import { bodies } from './bodies.ts'
import { faults, ourFaults, type Fault } from './faults.ts'
import { socketFaults, type SocketFault } from './socket-faults.ts'

/** One thing that goes wrong, or nothing. */
export interface Case {
  readonly name: string
  /** What the upstream thinks of the client's credential. */
  readonly standing: 'good' | 'dead' | 'expired'
  /** What happens to a turn's request, to a turn over a WebSocket. */
  readonly fault?: Fault
  readonly socketFault?: SocketFault
  /** Milliseconds for which nobody listens. */
  readonly refuse?: number
  /** How many of the turn's requests fail. */
  readonly times: number
  /** For those that make no turn: a file's upload. */
  readonly upload?: true
}

const good = { standing: 'good', times: 0 } as const

/** Each fault once and then all well, and for good. */
const bothTimes = (name: string, fault: Pick<Case, 'fault' | 'socketFault'>): Case[] =>
  [{ ...good, ...fault, name: `${name}, once`, times: 1 }, { ...good, ...fault, name: `${name}, for good`, times: Infinity }]

const of = (all: Readonly<Record<string, Fault>>, prefix = ''): Case[] => Object.entries(all).flatMap(([name, fault]) => bothTimes(`${prefix}${name}`, { fault }))

/** The sets of cases that can be played. */
export const sets: Readonly<Record<string, readonly Case[]>> = {
  /** What upstreams do, and whether each client still recovers. */
  recovery: [
    { ...good, name: 'good turn' },
    ...of(faults),
    { ...good, name: 'connection refused for 5 s', refuse: 5000 },
    { ...good, name: 'connection refused for 12 s', refuse: 12_000 }
  ],
  /** Streams as real upstreams send them. */
  bodies: [
    ...Object.entries(bodies['for good']).map(([name, fault]): Case => ({ ...good, name, fault, times: Infinity })),
    ...of(bodies['both times'])
  ],
  /** What a person meets in a day. */
  clients: [
    { ...good, name: 'good turn' },
    { ...good, name: 'dead token', standing: 'dead' },
    { ...good, name: 'expired JWT', standing: 'expired' },
    ...bothTimes('orderly half', { fault: faults['orderly half'] as Fault }),
    { ...good, name: 'file upload', upload: true },
    { ...good, name: 'file upload, dead token', standing: 'dead', upload: true }
  ],
  /** What we could say in our own name: the search for the endings that clients take best. It is played straight only. */
  endings: of(ourFaults),
  /** The same for WebSockets. */
  sockets: Object.entries(socketFaults).flatMap(([name, socketFault]) => bothTimes(name, { socketFault }))
}
