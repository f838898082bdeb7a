/** What is used of `node:sqlite`, whose types came after the oldest Node that runs this. */
export interface Sqlite {
  readonly DatabaseSync: new (path: string, options: { readOnly: boolean }) => {
    prepare: (sql: string) => { all: () => unknown[] }
    close: () => void
  }
}

/** Node's own, which Node 20 does not have. */
export const ownSqlite = (): Sqlite | undefined => process.getBuiltinModule('node:sqlite') as Sqlite | undefined

/** The column `json` of every row; the database is opened for reading only and closed again. */
export function readRow ({ DatabaseSync }: Sqlite, file: string, query: string): string[] {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    return (database.prepare(query).all() as { json: string }[]).map(({ json }) => json)
  } finally {
    database.close()
  }
}
