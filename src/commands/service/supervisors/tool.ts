import { execFile } from 'node:child_process'

/** How a program of the system has ended, and what it has said. */
export interface Said {
  /** 0 where all is well, else its exit code or why it could not be run. */
  readonly code: 0 | string
  /** What it has printed on both of its streams. */
  readonly text: string
}

/** ms after which a program of the system is given up; stopping what drains may take its time. */
const PATIENCE = 90_000

/** Runs a program of the system; it is found by the environment's PATH. Never rejects. */
export const askTool = (command: string, args: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<Said> =>
  new Promise(resolve => {
    execFile(command, args, { env, timeout: PATIENCE, windowsHide: true }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : String(error.code), text: `${stdout}${stderr}`.trim() })
    })
  })
