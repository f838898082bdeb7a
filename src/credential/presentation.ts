import type { Route } from '../config/options.ts'

/** The request that a credential came with, as far as a validator may look at it. */
export interface Presentation {
  readonly route: Route
  /** Raw header list of the request. */
  readonly raw: readonly string[]
  /** Its method; a 2xx to OPTIONS says nothing about the credential. */
  readonly method?: string
  /** Its path, without the query. */
  readonly path?: string
  /** The query with its question mark, where there is one. */
  readonly query?: string
  /** Whether it asks for a WebSocket. */
  readonly handshake?: boolean
  /** The client connection that it came on. */
  readonly connection?: object
}
