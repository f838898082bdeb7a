import { readdirSync, readFileSync } from 'node:fs'

const read = (path: string): string => {
  try { return readFileSync(path, 'utf8') } catch { return '' } // it has ended, or is not ours to look at
}

/** Command lines of the processes that know of a folder by an argument or their environment. Linux: it reads /proc. */
export function processesOf (folder: string): string[] {
  const ids = (() => { try { return readdirSync('/proc').filter(name => /^\d+$/.test(name) && Number(name) !== process.pid) } catch { return [] } })()
  return ids.flatMap(id => {
    const command = read(`/proc/${id}/cmdline`)
    return `${command}${read(`/proc/${id}/environ`)}`.includes(folder) ? [`${id} ${command.replaceAll('\0', ' ').trim()}`] : []
  })
}

/** Ends what still runs and knows of a folder: clients leave daemons behind. */
export function endProcessesOf (folder: string): void {
  for (const line of processesOf(folder)) {
    try { process.kill(Number.parseInt(line), 'SIGKILL') } catch { /* it has ended meanwhile */ }
  }
}
