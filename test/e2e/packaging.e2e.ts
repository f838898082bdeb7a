import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { request } from 'undici'

// What a person gets who installs the package: packed, installed and run from the outside. It asks the npm registry.

const exec = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'codex-sidecar-packaging-'))
const prefix = join(folder, 'prefix')
const command = join(prefix, 'bin', 'codex-sidecar')
const env = { PATH: process.env['PATH'] } // no setting of this machine's user takes part

t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })

t.test('packs what users need and nothing else', async t => {
  await exec('npm', ['pack', '--pack-destination', folder], { cwd: root })
  const [tarball = ''] = readdirSync(folder)
  t.match(tarball, /^codex-sidecar-.*\.tgz$/)
  const { stdout } = await exec('tar', ['-tzf', join(folder, tarball)])
  const files = stdout.trim().split('\n').map(file => file.replace(/^package\//, '')).sort()
  t.comment(`${files.length} files:\n${files.join('\n')}`)
  const outside = files.filter(file => !/^(?:dist\/.+\.(?:js|d\.ts)|dist\/LICENSES\.txt|dist\/command\/.+\.js\.LEGAL\.txt|src\/status\/page\/[^/]+\.(?:html|css|js|svg)|config\/(?:[^/]+\/)?[^/]+\.(?:jsonc|json|yaml)|config\/openclaw-plugin\/[^/]+\.js|(?:(?:config|test)\/)?README\.md|LICENSE|CHANGELOG\.md|package\.json)$/.test(file))
  t.strictSame(outside, [], 'nothing but the program, examples and papers')
  t.ok(['package.json', 'LICENSE', 'README.md', 'config/README.md', 'test/README.md', 'CHANGELOG.md', 'dist/main.js', 'dist/index.js', 'dist/index.d.ts', 'src/status/page/index.html', 'config/grafana-dashboard.json', 'config/laptop.jsonc', 'config/compose.yaml', 'config/kubernetes.yaml'].every(file => files.includes(file)), 'all of that is there')
  const stale = files.filter(file => /^dist\/.*\.(?:js|ts)$/.test(file) && !file.startsWith('dist/command/') && !existsSync(join(root, file.replace(/^dist/, 'src').replace(/(?:\.d\.ts|\.js)$/, '.ts'))))
  t.strictSame(stale, [], 'dist holds nothing whose source is gone')
  await exec('npm', ['install', '--global', '--prefix', prefix, '--no-audit', '--no-fund', join(folder, tarball)])
})

t.test('the installed command tells its version', async t => {
  const { stdout } = await exec(command, ['--version'], { env })
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  t.equal(stdout, `${version}\n`)
})

t.test('programs import it, with types', async t => {
  const user = join(folder, 'user')
  mkdirSync(user)
  writeFileSync(join(user, 'package.json'), '{ "type": "module", "private": true }')
  await exec('npm', ['install', '--no-audit', '--no-fund', join(folder, readdirSync(folder).find(name => name.endsWith('.tgz')) ?? '')], { cwd: user })
  writeFileSync(join(user, 'use.ts'), `
    import { buildApp, createLog, loadConfig, ConfigError, type Config } from 'codex-sidecar'
    const config: Config = loadConfig({ flags: { port: '0' } })
    const app = buildApp({ config, log: createLog({ level: 'silent' }) })
    const url = await app.listen({ host: config.host, port: config.port })
    const answer = await fetch(\`\${url}/livez\`)
    console.log(answer.status, ConfigError.name)
    await app.close()
  `)
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  // Strictly, but for the libraries' own declarations, which are not ours to mend.
  await exec(tsc, ['--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2023', '--types', 'node', '--typeRoots', join(root, 'node_modules', '@types'), 'use.ts'], { cwd: user })
  const { stdout } = await exec(process.execPath, ['use.js'], { cwd: user, env })
  t.equal(stdout, '200 ConfigError\n')
})

t.test('the tree of dependencies is small', async t => {
  const modules = join(prefix, 'lib', 'node_modules', 'codex-sidecar', 'node_modules')
  const { stdout: size } = await exec('du', ['-sm', modules])
  const packages = readdirSync(modules, { recursive: true, encoding: 'utf8' }).filter(path => /(?:^|node_modules\/)(?:@[^/]+\/)?[^@/][^/]*\/package\.json$/.test(path))
  t.comment(`${packages.length} packages, ${parseInt(size)} MB`)
  t.ok(packages.length < 100)
})

t.test('the installed command starts, answers and ends with exit 0 on SIGTERM', async t => {
  const serverInfo = join(folder, 'server-info.json')
  const child = spawn(command, ['--port', '0', '--server-info', serverInfo], { env, cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => { child.kill('SIGKILL') })
  const exit = once(child, 'exit')
  child.stdout.resume()
  while (!existsSync(serverInfo) || readFileSync(serverInfo, 'utf8') === '') {
    if (child.exitCode !== null) throw new Error(`it ended with exit ${child.exitCode}`)
    await sleep(20)
  }
  const { pid, url } = JSON.parse(readFileSync(serverInfo, 'utf8')) as { pid: number, url: string }
  t.equal(pid, child.pid, 'the pid it tells is the one to signal')
  const { statusCode, body } = await request(`${url}/livez`)
  t.equal(statusCode, 200)
  t.strictSame(await body.json(), { status: 'alive' })
  process.kill(pid, 'SIGTERM')
  t.strictSame(await exit, [0, null], 'exit 0, no signal')
})
