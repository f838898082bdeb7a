import type { Protocol } from '../answer.ts'
import type { Provider } from '../providers.ts'

/** Where a client finds its provider and its place on the disk. */
export interface Place {
  /** Origin of the provider, without a path. */
  readonly url: string
  readonly key: string
  /** A home of its own. */
  readonly home: string
  /** Its `node_modules`. */
  readonly modules: string
}

/** A program to start. */
export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A real client as this harness runs it. */
export interface Client {
  /** With its version, and with its protocol where it has several. */
  readonly name: string
  readonly provider: Provider
  readonly protocol: Protocol
  /** Packages from npm that it needs, each as `name@version`; the first gives its folder the name. */
  readonly packages: readonly [string, ...string[]]
  /** Writes what it needs into its home, for one turn. */
  readonly start: (place: Place) => Program | Promise<Program>
  /** The same for the upload of a file, where it has one. */
  readonly upload?: (place: Place) => Program
  /** For one that serves many turns from one gateway: the version of OpenClaw. */
  readonly gateway?: string
  /** Whether a request with this body belongs to the turn itself. */
  readonly main?: (body: string) => boolean
}

export const PROMPT = 'Say hello'
export const MODEL = 'gpt-5.4'
