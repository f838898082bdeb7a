import { spawn } from 'node:child_process'

/**
 * Waits for a line or the end of its standard input. The line means that all is well; the end without one means that
 * whoever held the other end was killed: then the process is told that its terminal is gone, ended where it does not
 * listen, and the files are removed.
 */
const script = `
read -r _ && exit
pid=$1; shift
[ $# = 0 ] || rm -f -- "$@"
kill -HUP "$pid"; kill -CONT "$pid"
for _ in 1 2 3 4 5; do kill -0 "$pid" || exit; sleep 1; done
kill -KILL "$pid"
`

/**
 * Has a process ended, and files removed, when this process is killed so that it cannot do it itself (`kill -9`). A shell
 * waits for that, in a session of its own, so that no terminal's signal ends it. Windows ends children by itself (libuv
 * has them in a job of its own).
 * @returns calls it off
 */
export function watchOver (pid: number, files: readonly string[] = [], platform: NodeJS.Platform = process.platform): () => void {
  if (platform === 'win32') return () => {}
  const shell = spawn('/bin/sh', ['-c', script, 'codex-sidecar', String(pid), ...files], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  for (const emitter of [shell, shell.stdin]) emitter.on('error', () => {}) // where there is no shell, there is no watch
  return () => { shell.stdin.end('\n') }
}
