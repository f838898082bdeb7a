import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app/app.ts'
import { Listener } from '../../src/app/listener.ts'
import { run } from '../../src/cli.ts'
import { service, serviceOn } from '../../src/commands/service.ts'
import { carried } from '../../src/commands/service/environment.ts'
import { addressesOf, launchOf } from '../../src/commands/service/launch.ts'
import { nodePath, versionOf } from '../../src/commands/service/node-path.ts'
import { launchd } from '../../src/commands/service/supervisors/launchd.ts'
import { assignment, word } from '../../src/commands/service/supervisors/systemd-units.ts'
import { systemd } from '../../src/commands/service/supervisors/systemd.ts'
import { loadConfig } from '../../src/config/config.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { freePort } from '../fixtures/free-port.ts'
import { appears, commandLine } from '../fixtures/program.ts'
import { configFor, logSink } from '../fixtures/sidecar.ts'
import { parseXml, propertyOf, type Element } from '../fixtures/xml.ts'

/** What every stand-in of a system's tool does: it writes down how it was called, and does badly what it is told to. */
const head = [
  '#!/bin/sh',
  'echo "$*" >>"$STATE/calls"',
  'for word; do [ -e "$STATE/bad ${word#/}" ] && { echo "$word does not work"; exit 5; }; done', ''
].join('\n')

/** A scratch home, and stand-ins for the system's tools, which keep in a file whether the service runs. */
function machine (t: Test, tools: Record<string, string>) {
  const dir = t.testdir({ home: {}, bin: Object.fromEntries(Object.entries(tools).map(([name, script]) => [name, `${head}${script}`])) })
  for (const name of Object.keys(tools)) chmodSync(`${dir}/bin/${name}`, 0o755)
  const env: Record<string, string> = { HOME: `${dir}/home`, STATE: dir, PATH: `${dir}/bin${delimiter}/usr/bin${delimiter}/bin` }
  return {
    dir, env,
    /** How the tools were called since the last time that this was asked. */
    calls: (): string[] => {
      const all = existsSync(`${dir}/calls`) ? readFileSync(`${dir}/calls`, 'utf8').trim().split('\n') : []
      rmSync(`${dir}/calls`, { force: true })
      return all
    },
    bad: (word: string): void => { writeFileSync(`${dir}/bad ${word.replace('/', '')}`, '') },
    good: (word: string): void => { rmSync(`${dir}/bad ${word.replace('/', '')}`) }
  }
}

const systemctl = `case "$*" in
  *is-active*) test -e "$STATE/active";;
  *restart*) touch "$STATE/active";;
  *disable*) rm -f "$STATE/active";;
esac`

const self = commandLine([])

/** The sidecar that the system starts. @returns ends it */
async function serve (t: Test, port: number): Promise<() => Promise<void>> {
  const { destination } = logSink()
  const listener = new Listener(buildApp({ config: configFor({ upstream: 'http://127.0.0.1:9' }), log: createLog({ level: 'info', destination }) }))
  t.teardown(() => listener.close())
  await listener.listen('127.0.0.1', port)
  return () => listener.close()
}

/** As the system does: the sidecar listens once its tool was told to start it. */
const serveOnceStarted = (t: Test, dir: string, port: number): Promise<() => Promise<void>> => appears(`${dir}/active`).then(() => serve(t, port))

/** The service on some system, and what it says. */
async function ask (platform: NodeJS.Platform, [words, flags = {}]: readonly [string[], Record<string, string>?], env: Record<string, string>, patience = 120_000) {
  let [out, err] = ['', '']
  const code = await serviceOn(platform, patience)({ words, flags, env, self, stdin: process.stdin, stdout: { write: text => { out += text } }, stderr: { write: text => { err += text } } })
  return { code, out, err }
}

/** A command line of the program itself, and what it says. */
async function say (args: string[], env: Record<string, string>, own?: readonly [string, ...string[]]) {
  let [out, err] = ['', '']
  const code = await run(args, { env, stdin: process.stdin, stdout: { write: text => { out += text } }, stderr: { write: text => { err += text } }, ...own === undefined ? {} : { self: own } })
  return { code, out, err }
}

/** Somebody else's program on a port. */
async function occupy (t: Test, port: number, host = '127.0.0.1'): Promise<() => Promise<unknown>> {
  const server = createServer(socket => socket.destroy()).listen(port, host)
  await once(server, 'listening')
  const close = async (): Promise<unknown> => { server.close(); return await once(server, 'close') }
  t.teardown(() => server.close())
  return close
}

const all = (folder: string): string[] => readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => !entry.isDirectory()).map(entry => join(entry.parentPath, entry.name)).sort()

t.test('systemd: install writes the units, starts them, waits until requests are taken and says what it did; again it does nothing; uninstall leaves nothing', async t => {
  const { dir, env, calls } = machine(t, { systemctl })
  const own = await freePort()
  const port = String(own)
  const units = ['codex-sidecar.service', 'codex-sidecar.socket'].map(name => `${dir}/home/.config/systemd/user/${name}`)
  const service = (...args: string[]) => say(['service', ...args], env, self)

  t.match(await service('status'), { code: 1, out: /is no service of this user/ })
  t.match(await service('uninstall'), { code: 0, out: /is no service of this user/ })
  t.strictSame(calls(), [])
  const running = serveOnceStarted(t, dir, own)
  t.match(await service('install', '--port', port, '--log-level=debug'), {
    code: 0, err: '',
    out: `codex-sidecar is now a service of this user (systemd), ready at http://127.0.0.1:${port}
  files: ~/.config/systemd/user/codex-sidecar.socket, ~/.config/systemd/user/codex-sidecar.service
  log: journalctl --user -u codex-sidecar
  It runs while you are logged in`
  })
  t.strictSame(calls(), [
    '--user show --property=Version', '--user is-active --quiet codex-sidecar.socket', '--user reset-failed codex-sidecar.socket codex-sidecar.service', '--user daemon-reload',
    '--user enable codex-sidecar.socket codex-sidecar.service', '--user start codex-sidecar.socket', '--user restart codex-sidecar.service'
  ])
  t.strictSame(all(`${dir}/home`), units)
  t.match(await service('status'), { code: 0, out: `started, ready at http://127.0.0.1:${port}\n` })
  calls()
  t.match(await service('install', '--user', '--port', port, '--log-level=debug'), { code: 0, out: /^codex-sidecar is a service of this user/ })
  t.notOk(calls().some(call => call.includes('start')), 'it goes on as it is')
  const other = String(await freePort())
  t.match(await ask('linux', [['install'], { port: other }], env, 300), { code: 1, err: /does not answer at .* within 0\.3 s\. journalctl --user -u codex-sidecar says why/ })
  t.strictSame(calls().slice(-6), ['--user reset-failed codex-sidecar.socket codex-sidecar.service', '--user daemon-reload', '--user stop codex-sidecar.socket codex-sidecar.service',
    '--user enable codex-sidecar.socket codex-sidecar.service', '--user start codex-sidecar.socket', '--user restart codex-sidecar.service'], 'a socket moves while nobody has it')
  t.match(await ask('linux', [['install'], { port: other }], env, 300), { code: 1, err: 'does not answer' }, 'one that does not answer is started again')
  t.strictSame(calls().slice(-2), ['--user start codex-sidecar.socket', '--user restart codex-sidecar.service'])
  t.match(await service('status'), { code: 1, out: `started, not ready at http://127.0.0.1:${other}\n` })
  rmSync(`${dir}/active`)
  t.match(await service('status'), { code: 1, out: 'not started, not ready' })
  calls()
  t.match(await service('uninstall'), { code: 0, out: /is no longer a service of this user \(systemd\); what was under way ends by itself/ })
  t.strictSame(calls().slice(1), ['--user disable --now codex-sidecar.socket codex-sidecar.service', '--user daemon-reload', '--user reset-failed codex-sidecar.socket codex-sidecar.service'])
  t.strictSame(all(`${dir}/home`), [], 'nothing is left')
  await (await running)()
})

t.test('a port that somebody else has, tools that fail, folders that cannot be written: each is said, and nothing is broken', async t => {
  const { dir, env, bad, good } = machine(t, { systemctl })
  const port = await freePort()
  const flags = { port: String(port) }
  const free = await occupy(t, port)
  t.match(await ask('linux', [['install'], flags], env), { code: 1, err: `another program listens on 127.0.0.1:${port} (lsof` })
  await free()
  const six = await occupy(t, port, '::1').catch(() => undefined)
  if (six === undefined) t.comment('this machine has no IPv6')
  else t.match(await ask('linux', [['install'], flags], env), { code: 1, err: `listens on [::1]:${port}` })
  await six?.()
  const end = await serve(t, port)
  t.match(await ask('linux', [['install'], flags], env), { code: 1, err: 'a codex-sidecar that is not this service listens on' })
  await end()
  t.strictSame(all(`${dir}/home`), [], 'nothing was written')
  t.match(await ask('linux', [['install'], { ...flags, host: '192.0.2.1' }], env, 100), { code: 1, err: 'does not answer' }, 'an address that cannot be listened on is for the system to report')

  bad('enable')
  t.match(await ask('linux', [['install'], flags], env), { code: 1, err: /systemctl enable codex-sidecar\.socket codex-sidecar\.service: enable does not work\ncodex-sidecar service uninstall takes back/ })
  bad('disable')
  writeFileSync(`${dir}/active`, '')
  t.match(await ask('linux', [['uninstall']], env), { code: 1, err: /systemctl disable .*: disable does not work/ })
  t.equal(all(`${dir}/home`).length, 2, 'what runs keeps its files')
  rmSync(`${dir}/active`)
  t.match(await ask('linux', [['uninstall']], env), { code: 0 })
  t.strictSame(all(`${dir}/home`), [], 'half of a service goes too')

  writeFileSync(`${dir}/file`, '')
  t.match(await ask('linux', [['install'], flags], { ...env, XDG_CONFIG_HOME: `${dir}/file` }), { code: 1, err: /cannot write .*\/file\/systemd\/user \(ENOTDIR\)/ })
  good('enable')
})

t.test('where there is no systemd, one line says what to do instead', async t => {
  const { dir, env, bad, good } = machine(t, { systemctl, setpriv: 'true' })
  const install = (flags = {}) => ask('linux', [['install'], flags], env)
  bad('setpriv')
  bad('true')
  t.match(await install(), { code: 1, err: /^codex-sidecar: setpriv --pdeathsig is missing.*\n$/ })
  good('true')
  bad('show')
  t.match(await install(), { code: 1, err: /^codex-sidecar: this user has no systemd here .* codex-sidecar run -- CLIENT.*\n$/ })
  t.match(await install({ machine: 'true' }), { code: 1, err: /^codex-sidecar: there is no systemd here.*\n$/ })
  mkdirSync(`${dir}/home/.config/systemd/user`, { recursive: true })
  writeFileSync(`${dir}/home/.config/systemd/user/codex-sidecar.service`, '')
  t.match(await ask('linux', [['uninstall']], env), { code: 1, err: 'this user has no systemd here' })
  t.match(await ask('linux', [['status']], env), { code: 1, out: 'is no service' })
  for (const [command, code, words] of [
    [[['install'], { user: 'true', machine: 'true' }], 2, /of this user \(--user\) or of the whole machine/],
    [[['start']], 2, /needs one of install, uninstall, status/],
    [[[]], 2, /needs one of install/],
    [[['install'], { port: '0' }], 2, /needs a port that stays/]
  ] as [[string[], Record<string, string>?], number, RegExp][]) t.match(await ask('linux', command, env), { code, err: words })
  t.match(await ask('freebsd', [['install']], env), { code: 2, err: /knows systemd, launchd and Task Scheduler/ })
  t.match(await ask('darwin', [['install'], { machine: 'true' }], env), { code: 2, err: /--machine is for systemd/ })
  t.match(await say(['service', 'install'], env), { code: 2 }, 'a program that does not know its own command line')
  await t.rejects(async () => service({ words: ['install'], flags: { port: 'x' }, env, self, stdin: process.stdin, stdout: process.stdout, stderr: process.stderr }), { name: 'ConfigError' })
})

t.test('the machine’s service needs root, and a program that it can see', async t => {
  const { dir, env } = machine(t, { systemctl })
  const obstacle = async (path: string, main: string, uid = 0): Promise<string | undefined> => await systemd(env, true, uid).obstacle({ path: [path], command: ['node', main, '--config=/etc/a.json'], env: {}, addresses: [], port: 1, origin: '' })
  t.equal(await obstacle('/usr/bin', '/usr/local/lib/main.js'), undefined)
  t.match(await obstacle('/usr/bin', '/opt/main.js', 1000), /sudo codex-sidecar service/)
  t.match(await obstacle('/home/me/.nvm/versions/node/v1/bin', '/opt/main.js'), /does not see \/home\/me\/\.nvm/)
  t.match(await obstacle('/usr/bin', '/root/main.js'), /does not see \/root\/main\.js/)
  t.equal(await systemd(env, true, 0).obstacle(), undefined, 'to remove it, nothing need be seen')
  const unseen = { path: ['/usr/bin'], command: ['node', '/opt/main.js', '--config=/tmp/a.json'], env: {}, addresses: [], port: 1, origin: '' } as const
  t.match(await systemd(env, true, 0).obstacle(unseen), /does not see \/tmp\/a\.json/)
  t.match(systemd({ ...env, XDG_CONFIG_HOME: dir }, false), { secrets: `${dir}/codex-sidecar/env`, paths: [`${dir}/systemd/user/codex-sidecar.socket`, /service$/] })
  t.match(systemd(env, true), { log: 'journalctl -u codex-sidecar', notes: [], paths: ['/etc/systemd/system/codex-sidecar.socket', '/etc/systemd/system/codex-sidecar.service'] })
})

t.test('the units are what systemd takes, for the user and the machine', { skip: !existsSync('/usr/bin/systemd-analyze') && 'this machine has no systemd-analyze' }, async t => {
  const { dir, env } = machine(t, {})
  const launch = await launchOf({ flags: {}, env: {} }, ['/usr/bin/node', self.at(-1) as string], loadConfig())
  for (const isMachine of [false, true]) {
    const folder = `${dir}/${isMachine ? 'machine' : 'user'}`
    mkdirSync(folder)
    const paths = systemd(env, isMachine).files(launch).map(({ path, text }) => {
      const file = `${folder}/${path.split('/').at(-1)}`
      writeFileSync(file, text)
      return file
    })
    const { stdout, stderr } = await promisify(execFile)('systemd-analyze', ['verify', '--man=no', ...isMachine ? [] : ['--user'], ...paths], { env: { ...process.env, XDG_RUNTIME_DIR: '/tmp' } })
    t.strictSame((stdout + stderr).split('\n').filter(line => line.includes('codex-sidecar.s')), [], 'what is said is about other units')
    t.match(readFileSync(paths[1] as string, 'utf8'), isMachine ? /^DynamicUser=yes$/m : /^WantedBy=default\.target$/m)
  }
})

/** A word as systemd reads it: specifiers, then variables, then what is quoted. */
const readBySystemd = (text: string): string => text.replaceAll('%%', '%').replaceAll('$$', '$').replace(/^"(.*)"$/s, '$1').replace(/\\(.)/gs, (_, character: string) => character === 'n' ? '\n' : character)

t.test('paths and values reach the program as they are', async t => {
  for (const text of ['/usr/lib/main.js', '/a b/%h/$HOME/${x}/"q"/\\b/\'s', 'two\nlines', '$$', '%%', '']) t.equal(readBySystemd(word(text)), text)
  t.equal(word('/usr/lib/main.js'), '/usr/lib/main.js')
  t.equal(assignment(['A', 'b "c" %h $x']), 'Environment="A=b \\"c\\" %%h $x"', 'a dollar means nothing there')
})

t.test('the running Node comes first, then where its tool has the chosen one', async t => {
  const usual = ['/h/.local/bin', '/usr/local/bin', '/usr/bin', '/bin']
  for (const [folder, tool, version, ...stable] of [
    ['/h/.nvm/versions/node/v22.1.0/bin', 'nvm', 'v22.1.0', '/h/.nvm/current/bin'],
    ['/h/.local/share/fnm/node-versions/v22.1.0/installation/bin', 'fnm', 'v22.1.0', '/h/.local/share/fnm/aliases/default/bin'],
    ['/h/.volta/tools/image/node/22.1.0/bin', 'volta', '22.1.0', '/h/.volta/bin'],
    ['/h/.asdf/installs/nodejs/22.1.0/bin', 'asdf', '22.1.0', '/h/.asdf/shims'],
    ['/h/.local/share/mise/installs/node/22.1.0/bin', 'mise', '22.1.0', '/h/.local/share/mise/shims'],
    ['/h/.nodenv/versions/22.1.0/bin', 'nodenv', '22.1.0', '/h/.nodenv/shims'],
    ['/opt/homebrew/Cellar/node@22/22.1.0/bin', 'Homebrew', '22.1.0', '/opt/homebrew/opt/node@22/bin', '/opt/homebrew/bin']
  ] as const) {
    t.strictSame(nodePath(`${folder}/node`, '/h'), [folder, ...stable, ...usual])
    t.strictSame(versionOf(`${folder}/node`), { tool, version, stable })
  }
  t.strictSame(nodePath('/usr/bin/node', '/h'), ['/usr/bin', '/h/.local/bin', '/usr/local/bin', '/bin'])
  t.equal(versionOf('/usr/bin/node'), undefined)
})

t.test('no password is written down', async t => {
  const env = {
    HOME: '/h', OPENAI_API_KEY: 'sk-secret', HTTPS_PROXY: 'http://me:secret@proxy:1', http_proxy: 'proxy:3128', no_proxy: '10.0.0.0/8', all_proxy: '', ALL_PROXY: 'me:secret@proxy:1',
    CODEX_SIDECAR_PROBE: 'off', CODEX_SIDECAR_CONFIG: 'c.json', CODEX_SIDECAR_SERVER_INFO: 'i@1.json', NODE_EXTRA_CA_CERTS: '/etc/ca.pem', NO_PROXY: 'a\nb'
  }
  t.strictSame(carried(env), {
    written: { CODEX_SIDECAR_PROBE: 'off', CODEX_SIDECAR_SERVER_INFO: join(process.cwd(), 'i@1.json'), NODE_EXTRA_CA_CERTS: '/etc/ca.pem', http_proxy: 'proxy:3128', no_proxy: '10.0.0.0/8' },
    withheld: ['ALL_PROXY', 'HTTPS_PROXY', 'NO_PROXY']
  })
  const { dir, env: own, bad } = machine(t, { systemctl })
  bad('show')
  mkdirSync(`${dir}/link`)
  symlinkSync(self.at(-1) as string, `${dir}/link/codex-sidecar`)
  const launch = await launchOf({ flags: { port: '7', 'use-system-ca': 'true', 'server-info': 'x' }, env: { ...own, ...env } }, ['/n/node', `${dir}/link/codex-sidecar`], { ...loadConfig(), host: '::1' })
  t.strictSame(launch.command, ['node', self.at(-1), `--config=${join(process.cwd(), 'c.json')}`, '--port=7', '--use-system-ca', `--server-info=${join(process.cwd(), 'x')}`], 'behind links, and wherever it is started')
  t.strictSame(launch.addresses, ['::1'])
  t.strictSame((await launchOf({ flags: { config: '/d.json' }, env }, [process.execPath.replace('node', 'codex-sidecar')], loadConfig())).command.slice(1), ['--config=/d.json'], 'a program in one file')
  t.strictSame(await addressesOf('localhost', { lo: [], none: undefined }), ['127.0.0.1'])
  t.strictSame(await addressesOf('localhost', { lo: [{ address: '::1' }] as never }), ['127.0.0.1', '::1'])
})

t.test('what is left out, and a Node that may go, are said', async t => {
  const { dir, env } = machine(t, { systemctl })
  const port = await freePort()
  const folder = `${dir}/.nvm/versions/node/v22.1.0/bin`
  mkdirSync(folder, { recursive: true })
  symlinkSync(process.execPath, `${folder}/node`)
  const running = serveOnceStarted(t, dir, port)
  const { out } = await say(['service', 'install', '--port', String(port)], { ...env, HTTPS_PROXY: 'http://me:secret@127.0.0.1:1' }, [`${folder}/node`, ...self.slice(1)])
  t.match(out, 'Not written, since it may hold a password: HTTPS_PROXY. Its place is ~/.config/codex-sidecar/env.')
  t.match(out, 'It runs with Node v22.1.0 of nvm.')
  for (const file of all(`${dir}/home`)) t.notMatch(readFileSync(file, 'utf8'), 'secret')
  await (await running)()
})

const launchctl = `case "$1" in
  print) case "$2" in */codex-sidecar) test -e "$STATE/active";; esac;;
  bootstrap) touch "$STATE/active";;
  bootout) rm -f "$STATE/active";;
esac`

t.test('launchd: a property list that starts the running Node first, loaded anew, and gone again', async t => {
  const { dir, env, calls, bad } = machine(t, { launchctl })
  const port = await freePort()
  const flags = { port: String(port), host: '127.0.0.1' }
  const domain = `gui/${process.getuid?.()}`
  const running = serveOnceStarted(t, dir, port)
  t.match(await ask('darwin', [['install'], flags], { ...env, NO_PROXY: 'a<b>&"c"' }), { code: 0, out: `codex-sidecar is now a service of this user (launchd), ready at http://127.0.0.1:${port}\n  files: ~/Library/LaunchAgents/codex-sidecar.plist` })
  const [file = ''] = all(`${dir}/home`)
  t.strictSame(calls(), [`print ${domain}`, `print ${domain}/codex-sidecar`, `enable ${domain}/codex-sidecar`, `bootstrap ${domain} ${file}`])
  const text = readFileSync(file, 'utf8')
  const log = `${dir}/home/Library/Logs/codex-sidecar/service.log`
  t.match(propertyOf(parseXml(text).children[0] as Element), {
    Label: 'codex-sidecar', ProgramArguments: ['/usr/bin/env', 'node', ...self.slice(1), `--port=${port}`], RunAtLoad: true, KeepAlive: { SuccessfulExit: false }, ExitTimeOut: 45, Umask: 63,
    EnvironmentVariables: { PATH: new RegExp(`^${process.execPath.replace(/\/node$/, '')}:`), NODE_ENV: 'production', NO_PROXY: 'a<b>&"c"' }, StandardOutPath: log, StandardErrorPath: log
  })
  const { times } = loadConfig()
  t.ok(45_000 > times.drain + times.connect, 'running requests have their time')
  t.match(await ask('darwin', [['status']], env), { code: 0, out: `tail -f ${log}` })
  calls()
  t.match(await ask('darwin', [['install'], flags], env), { code: 0 })
  t.match(calls().join(), `bootout ${domain}/codex-sidecar,print ${domain}/codex-sidecar,enable ${domain}/codex-sidecar,bootstrap`, 'what has changed is taken up')
  bad('bootstrap')
  t.match(await ask('darwin', [['install'], { ...flags, 'log-level': 'warn' }], env), { code: 1, err: 'launchctl bootstrap: bootstrap does not work' })
  mkdirSync(`${dir}/home/Library/Logs/codex-sidecar`, { recursive: true })
  writeFileSync(log, '')
  t.match(await ask('darwin', [['uninstall']], env), { code: 0 })
  t.strictSame(all(`${dir}/home`), [])
  writeFileSync(`${dir}/active`, '')
  bad('bootout')
  const stubborn = launchd(env, undefined, { look: 1, looks: 2 })
  t.match(await stubborn.stop(), 'launchctl bootout: bootout does not work')
  t.match(await stubborn.start(new Set()), 'launchctl bootout')
  bad('print')
  t.match(await ask('darwin', [['install'], flags], env), { code: 1, err: 'launchd has no session for this user' })
  await (await running)()
})

const schtasks = `case "$*" in
  /Query*/TN*) test -e "$STATE/active";;
  /Run*) touch "$STATE/active";;
  /Delete*) rm -f "$STATE/active";;
esac`

t.test('Task Scheduler: a task at logon without a window, whose batch file sets what a task cannot', async t => {
  const { dir, env, calls, bad, good } = machine(t, { schtasks })
  const port = await freePort()
  const flags = { port: String(port) }
  const windows = { ...env, LOCALAPPDATA: `${dir}/home`, USERDOMAIN: 'PC', USERNAME: 'me & you', NO_PROXY: '100%' }
  const running = serveOnceStarted(t, dir, port)
  const found = await ask('win32', [['install'], flags], windows)
  t.match(found, { code: 0, err: '', out: /None of this was run on Windows yet/ })
  const [script, definition] = ['service.cmd', 'service.xml'].map(name => all(dir).find(path => path.endsWith(name)) ?? '') as [string, string]
  const names = calls()
  t.strictSame(names.map(call => call.split(' ')[0]), ['/Query', '/End', '/Create', '/Run'])
  t.match(names[2], /^\/Create \/TN codex-sidecar \/XML .*service\.xml \/F$/)
  const lines = readFileSync(script, 'utf8').split('\r\n')
  t.match(lines, ['@echo off', `rem http://127.0.0.1:${port}/status`, 'chcp 65001 >nul', 'set "NODE_ENV=production"', 'set "NO_PROXY=100%%"', /^set "PATH=.*;%PATH%"$/, /^"node" .*"--port=\d+" >>".*service\.log" 2>&1$/, ''])
  const text = readFileSync(definition, 'utf16le')
  t.equal(text[0], '\uFEFF', 'in the encoding that it declares')
  const task = parseXml(text)
  const find = (name: string, { children } = task): Element[] => children.flatMap(child => [...child.name === name ? [child] : [], ...find(name, child)])
  t.match(task, { name: 'Task', attributes: / version="1\.2" xmlns="http:\/\/schemas\.microsoft\.com\/windows\/2004\/02\/mit\/task"/ })
  t.strictSame(find('UserId').map(({ text }) => text), ['PC\\me & you', 'PC\\me & you'])
  t.match(find('Arguments')[0]?.text, /^--headless cmd\.exe \/d \/s \/c "".*service\.cmd""$/)
  t.match(find('ExecutionTimeLimit')[0]?.text, 'PT0S', 'it is not ended after three days')
  t.match(await ask('win32', [['status']], windows), { code: 0 })
  bad('/Create')
  t.match(await ask('win32', [['install'], { ...flags, 'log-level': 'warn' }], windows), { code: 1, err: 'schtasks /Create /TN codex-sidecar' })
  bad('/Delete')
  t.match(await ask('win32', [['uninstall']], windows), { code: 1, err: 'schtasks /Delete: /Delete does not work' })
  good('/Delete')
  t.match(await ask('win32', [['uninstall']], windows), { code: 0 })
  t.strictSame(all(`${dir}/home`), [])
  bad('/Query')
  t.match(await ask('win32', [['install'], flags], windows), { code: 1, err: 'Task Scheduler does not answer' })
  await (await running)()
})
