import { spawn } from 'node:child_process'
import type { Footprint } from './beside.ts'

/**
 * Waits for a line or the end of its standard input. The line means that all is well; the end without one means that
 * whoever held the other end was killed: then the process is told that its terminal is gone, ended where it does not
 * listen, and what the run has left in its folder is taken away (as in beside.ts).
 */
const script = `
read -r _ && exit
pid=$1 origin=$2 mark=$3; shift 3
kill -HUP "$pid"; kill -CONT "$pid"
for _ in 1 2 3 4 5; do kill -0 "$pid" || pid=; [ "$pid" ] || break; sleep 1; done
[ -z "$pid" ] || kill -KILL "$pid"
for file; do
  case $file in *"$mark") rm -rf -- "$file" "$file".*; continue; esac
  if grep -qF "$origin/" "$file"; then mv -f -- "$file$mark" "$file" || rm -f -- "$file"; fi
  rm -f -- "$file$mark"
done
`

/**
 * Has a process ended, and its footprint removed, when this process is killed so that it cannot do it itself (`kill -9`). A shell
 * waits for that, in a session of its own, so that no terminal's signal ends it. Windows ends children by itself (libuv
 * has them in a job of its own).
 * @returns calls it off
 */
export function watchOver (pid: number, { files, origin, mark }: Footprint = { files: [], origin: '', mark: '' }, platform: NodeJS.Platform = process.platform): () => void {
  if (platform === 'win32') return () => {}
  const shell = spawn('/bin/sh', ['-c', script, 'codex-sidecar', String(pid), origin, mark, ...files], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  for (const emitter of [shell, shell.stdin]) emitter.on('error', () => {}) // where there is no shell, there is no watch
  return () => { shell.stdin.end('\n') }
}
