import type { Launch } from '../launch.ts'

/** A file of an installed service. */
export interface ServiceFile {
  readonly path: string
  readonly text: string
  readonly encoding?: 'utf16le'
}

/** What starts programs on this system, and starts them again when they fail. */
export interface Supervisor {
  /** What people call it. */
  readonly name: string
  /** For whom the service is. */
  readonly scope: string
  /** The line that shows the log. */
  readonly log: string
  /** Where variables may stand that hold a password. */
  readonly secrets: string
  /** What else a person should know. */
  readonly notes: readonly string[]
  /** All files that it is made of. */
  readonly paths: readonly string[]
  /** Files that it writes while it runs, for its owner's eyes. */
  readonly written: readonly string[]
  /** Why it cannot be used here, and what to do instead. */
  readonly obstacle: (launch?: Launch) => Promise<string | undefined>
  readonly files: (launch: Launch) => readonly ServiceFile[]
  /** Whether it has our addresses or our process, as far as it tells. */
  readonly isActive: () => Promise<boolean>
  /**
   * Has the service started with the system, and starts it now, again where it runs.
   * @param changed paths of files that are new
   * @returns what went wrong, in the system's words
   */
  readonly start: (changed: ReadonlySet<string>) => Promise<string | undefined>
  /** Stops the service and has it no longer started with the system. @returns what went wrong, in the system's words */
  readonly stop: () => Promise<string | undefined>
  /** Has the system see that the files are gone. */
  readonly forget: () => Promise<unknown>
}
