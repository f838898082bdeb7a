import { spawnSync } from 'node:child_process'

/** What is used of `node:sqlite`, whose types came after the oldest Node that runs this. */
export interface Sqlite {
  readonly DatabaseSync: new (path: string, options: { readOnly: boolean }) => {
    prepare: (sql: string) => { all: () => unknown[] }
    close: () => void
  }
}

/** ms for SQLite's program. */
const PATIENCE = 5_000

/** Node's own, which Node 20 does not have. */
export const ownSqlite = (): Sqlite | undefined => process.getBuiltinModule('node:sqlite') as Sqlite | undefined

/** SQLite's own program, where Node 20 has no better; undefined where it is not there either. */
export function commandSqlite (env: Readonly<Record<string, string | undefined>>): Sqlite | undefined {
  const run = (...args: string[]) => spawnSync('sqlite3', args, { env, encoding: 'utf8', timeout: PATIENCE })
  if (run('-version').status !== 0) return undefined
  return {
    DatabaseSync: class {
      readonly #file: string
      readonly #access: readonly string[]
      constructor (file: string, { readOnly }: { readOnly: boolean }) {
        this.#file = file
        this.#access = readOnly ? ['-readonly'] : []
      }

      prepare (sql: string) {
        return {
          all: (): unknown[] => {
            const { status, stdout } = run(...this.#access, '-json', this.#file, sql)
            if (status !== 0) throw new Error('sqlite3 could not do it')
            return stdout === '' ? [] : JSON.parse(stdout) as unknown[]
          }
        }
      }

      close (): void { /* it ends with each question */ }
    }
  }
}

/** The column `json` of every row; the database is opened for reading only and closed again. */
export function readRow ({ DatabaseSync }: Sqlite, file: string, query: string): string[] {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    return (database.prepare(query).all() as { json: string }[]).map(({ json }) => json)
  } finally {
    database.close()
  }
}
