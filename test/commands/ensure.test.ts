import { once } from 'node:events'
import { existsSync, readFileSync, watch, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import t from 'tap'
import { become } from '../../src/commands/ensure/become.ts'
import { backgroundLogFile } from '../../src/commands/run/log-file.ts'
import { commandLine, say } from '../fixtures/program.ts'

t.test('ensure starts it where nobody answers, once, and becomes the command', async t => {
  const dir = t.testdir({})
  const behave = [(socket: Socket) => socket.destroy(), (socket: Socket) => socket.resume().end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')]
  const probe = createServer(socket => { behave.pop()?.(socket.on('error', () => {})) })
  probe.listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  const env = { ...process.env as Record<string, string>, HOME: dir, XDG_STATE_HOME: dir }
  const ensure = (...command: string[]) => say(['ensure', '--port', String(port), '--server-info', `${dir}/info`, '--', ...command], env, commandLine([]))
  for (const code of [3, 4]) t.match(await ensure('sh', '-c', `exit ${code}`), { code, err: /another program has/ })
  probe.close()
  await once(probe, 'close')
  t.strictSame(await ensure('sh', '-c', 'exit 5'), { code: 5, out: '', err: '' })
  const { pid } = JSON.parse(readFileSync(`${dir}/info`, 'utf8')) as { pid: number }
  t.teardown(() => { try { process.kill(pid, 'SIGKILL') } catch { /* it has ended */ } })
  t.strictSame(await ensure('true'), { code: 0, out: '', err: '' })
  t.match(JSON.parse(readFileSync(`${dir}/info`, 'utf8')), { pid }, 'it is the same one')
  t.match(readFileSync(backgroundLogFile(env), 'utf8'), `listening on http://127.0.0.1:${port}`)
  const watcher = watch(dir)
  process.kill(pid, 'SIGTERM')
  while (existsSync(`${dir}/info`)) await once(watcher, 'change')
  watcher.close()
  writeFileSync(`${dir}/file`, '')
  t.match(await say(['ensure', '--port', String(port), '--', 'true'], { ...env, XDG_STATE_HOME: `${dir}/file` }, commandLine([])), { code: 0, err: /cannot write .*background\.log \(E\w+\)\ncodex-sidecar: nobody answers at/ })
  t.match(await say(['ensure', '--port', String(port), '--', 'no-such-command'], env), { code: 127, err: /nobody answers[^]*cannot start no-such-command \(ENOENT\)/ })
  t.match(await say(['ensure', '--'], env), { code: 2, err: /needs a command to become/ })
})

t.test('where Node can put a command in its own place, it does', async t => {
  const seen: unknown[] = []
  await become({ command: 'token', args: ['a b'], env: { A: '1' } }, () => {}, { execve: (...all) => { seen.push(all); return undefined as never } })
  t.strictSame(seen, [['/bin/sh', ['sh', '-c', 'exec "$0" "$@"', 'token', 'a b'], { A: '1' }]])
})
