/** What a command gets from its process. */
export interface CommandContext {
  /** Flags by name without dashes; undefined where the value is missing. */
  readonly flags: Readonly<Record<string, string | undefined>>
  /** Words after the command's name. */
  readonly words: readonly string[]
  /** Another program's command line, behind `--`. */
  readonly rest?: readonly string[] | undefined
  /** The command line that runs this program. */
  readonly self?: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: AsyncIterable<Buffer | string> & { readonly isTTY?: boolean }
  readonly stdout: { write: (text: string) => unknown, isTTY?: boolean }
  readonly stderr: { write: (text: string) => unknown }
}

/** Gives the exit code, or undefined where the process goes on. */
export type Command = (context: CommandContext) => number | undefined | Promise<number | undefined>
