import { hash } from 'node:crypto'
import type { Key } from '../../credential/credential.ts'
import type { Presentation } from '../../credential/presentation.ts'
import type { ShapeReader } from '../../credential/shape.ts'
import { createTellingReader } from '../../credential/telling.ts'
import type { LaneName } from '../../upstream/lane.ts'
import type { Likeness, Reach, Subject, Verdict } from '../verdict.ts'

/** A request under way whose answer will teach us; older answers never overwrite newer ones. */
export interface Ticket extends Subject {
  /** When the token ends by its own word, monotonic ms; Infinity where it says nothing that is sure. */
  readonly ends: number
}

/** What is known when a request comes, and whether the upstream should be asked: before it goes on, beside it, or not. */
export interface Look {
  readonly verdict?: Verdict
  /** Of a verdict against it. */
  readonly reach?: Reach
  readonly ask: 'first' | 'beside' | 'nobody'
  readonly lane: LaneName
}

/** What a ticket is made of. */
export interface Entrant { readonly key: Key, readonly route: string, readonly like: Likeness, readonly ends: number }

/** Characters of a target that is kept as it is; of a longer one, or one with a query, which may hold a secret, there is a digest. */
const TARGET = 200

/** What a request has in common with others besides its token. */
export type LikenessReader = (presentation: Presentation) => Likeness

/** Makes what an upstream's judgement of a request may depend on besides its token. */
export function likenessBy (shapeOf: ShapeReader, tellOf = createTellingReader()): LikenessReader {
  return ({ route, raw, method = '', path = '', query = '', handshake = false }: Presentation): Likeness => ({
    shape: shapeOf(raw, route.shape),
    handshake,
    request: `${method} ${query === '' && path.length <= TARGET ? path : hash('sha256', path + query)} ${tellOf(raw, route.credential)}`
  })
}

/** Names requests that are like one another. */
export const nameOf = ({ shape, handshake, request }: Likeness): string => `${handshake ? 'WebSocket ' : ''}${request} ${shape}`
