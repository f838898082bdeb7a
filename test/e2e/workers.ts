import { fork } from 'node:child_process'
import { nodeBinary } from './cached-package.ts'
import { ownNamespace } from './own-namespace.ts'

/** What a worker tells: a row, a failure, that its series is done. */
interface Told<Row> { readonly row?: Row, readonly failed?: string, readonly done?: true }

export interface Workers<Row> {
  /** The module that each of them runs; it takes a series as a message. */
  readonly module: string
  readonly count: number
  /** For what they write. */
  readonly folder: string
  readonly take: (row: Row) => void
}

/**
 * Plays the series in so many processes, each in namespaces of its own.
 * @returns what failed, in words
 * @throws where the machine allows no such namespaces
 */
export async function playInWorkers<Row> (series: object[], { module, count, folder, take }: Workers<Row>): Promise<string[]> {
  const namespace = ownNamespace(['/tmp/openclaw', '/tmp/openclaw-state-locks-0'])
  if (namespace === undefined) throw new Error('this machine allows no namespaces of one\'s own, and without them neither what leaves loopback nor refused connections can be told')
  const [program = '', ...rest] = namespace
  const node = await nodeBinary()
  const failures: string[] = []
  await Promise.all(Array.from({ length: count }, () => new Promise<void>(resolve => {
    const worker = fork(module, {
      execPath: program, execArgv: [...rest, node], // it reads TypeScript by itself
      env: { ...process.env, TMPDIR: folder }, stdio: ['ignore', 'inherit', 'inherit', 'ipc']
    })
    const next = (): void => {
      const one = series.shift()
      if (one === undefined) worker.disconnect()
      else worker.send(one)
    }
    worker.on('message', ({ row, failed, done }: Told<Row>) => {
      if (row !== undefined) take(row)
      if (failed !== undefined) failures.push(failed)
      if (done === true) next()
    }).on('exit', code => {
      if (code !== 0) failures.push(`a worker ended with exit ${code ?? 'none'}`)
      resolve()
    })
    next()
  })))
  return failures
}
