import { spawn } from 'node:child_process'
import type { Footprint } from './beside.ts'

/**
 * Waits for two lines: the process to watch over, and that all is well. The end of its standard input without them means that
 * whoever held the other end was killed: then the process is told that its terminal is gone, ended where it does not
 * listen, and what the run has left in its folder is taken away (as in beside.ts).
 */
const script = `
origin=$1 mark=$2; shift 2
read -r pid && read -r _ && exit
[ -z "$pid" ] || { kill -HUP "$pid"; kill -CONT "$pid"; }
for _ in 1 2 3 4 5; do [ -z "$pid" ] || kill -0 "$pid" || pid=; [ "$pid" ] || break; sleep 1; done
[ -z "$pid" ] || kill -KILL "$pid"
for file; do
  case $file in *"$mark") rm -rf -- "$file" "$file".*; continue; esac
  if grep -qF "$origin/" "$file"; then mv -f -- "$file$mark" "$file" || rm -f -- "$file"; fi
  rm -f -- "$file$mark"
done
`

/** What waits beside a run. */
export interface Watchdog {
  /** Has a process watched over; it is begun after the watchdog, so that there is no moment without one. Undefined where none began. */
  readonly watch: (pid: number | undefined) => void
  /** Calls it off. */
  readonly dismiss: () => void
}

/**
 * Has a process ended, and a run's footprint removed, when this process is killed so that it cannot do it itself (`kill -9`). A shell
 * waits for that, in a session of its own, so that no terminal's signal ends it. Windows ends children by itself (libuv
 * has them in a job of its own).
 */
export function watchdog ({ files, origin, mark }: Footprint = { files: [], origin: '', mark: '' }, platform: NodeJS.Platform = process.platform): Watchdog {
  if (platform === 'win32') return { watch () {}, dismiss () {} }
  const shell = spawn('/bin/sh', ['-c', script, 'codex-sidecar', origin, mark, ...files], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  for (const emitter of [shell, shell.stdin]) emitter.on('error', () => {}) // where there is no shell, there is no watch
  return {
    watch: pid => { shell.stdin.write(`${pid ?? ''}\n`) },
    dismiss: () => { shell.stdin.end('\n') }
  }
}
