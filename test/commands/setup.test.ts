import { chmodSync, existsSync, linkSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { run } from '../../src/cli.ts'
import { targets } from '../../src/commands/setup/changes.ts'
import { otherPort } from '../../src/commands/own-address.ts'
import { diffOf } from '../../src/commands/setup/diff.ts'
import { applyChanges } from '../../src/commands/setup/edit/edits.ts'
import { json } from '../../src/commands/setup/edit/format.ts'
import { yaml } from '../../src/commands/setup/edit/yaml.ts'
import { pluginTarget } from '../../src/commands/setup/openclaw-plugin.ts'
import { loadConfig } from '../../src/config/config.ts'
import { ownFolder } from '../../src/config/package-files.ts'
import { freePort } from '../fixtures/free-port.ts'
import { commandLine, startProcess } from '../fixtures/program.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { removeAt, setAt, sourceAt } from '../../src/commands/setup/edit/json.ts'
import { removeToml } from '../../src/commands/setup/edit/toml.ts'

const ORIGIN = 'http://127.0.0.1:7257'
const SELF = ['/usr/bin/node', '/opt/main.js'] as const
/** Where it is not known what runs it. */
const NOBODY = [''] as const

/** `codex-sidecar setup`, answered by what is typed, and what it says. */
async function setup (home: string, args: string[], typed = '', self: readonly [string, ...string[]] = SELF, variables: Readonly<Record<string, string>> = {}) {
  let [out, err] = ['', '']
  const code = await run(['setup', ...args], {
    env: { HOME: home, ...variables },
    ...self === NOBODY ? {} : { self },
    stdin: (async function * () { if (typed !== '') yield typed })(),
    stdout: { write: text => { out += text } },
    stderr: { write: text => { err += text } }
  })
  return { code, out, err }
}

/** Writes a file below a home folder. */
function put (home: string, name: string, content: string): string {
  const file = join(home, name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  return file
}

const CODEX = '.codex/config.toml'
const OPENCLAW = '.openclaw/openclaw.json'
const CLAUDE = '.claude/settings.json'
const CLINE = '.cline/data/settings/providers.json'
const CONTINUE = '.continue/config.yaml'
const OPENCODE = '.config/opencode/opencode.json'

/** A real-looking configuration, what the user adds afterwards, and what has to be in it once it is written. */
interface Case { readonly client: string, readonly file: string, readonly content: string, readonly has: RegExp, readonly edit?: (text: string) => string }

const openai2026 = '{\n  meta: { lastTouchedVersion: "2026.4.9" },\n  agents: { defaults: { model: "gpt" } },\n}\n'

const cases: Readonly<Record<string, Case>> = {
  'Codex: comments above and tables below': {
    client: 'codex', file: CODEX, content: '# my Codex\n# since 2025\n\nmodel = "gpt-5.4" # the good one\n\n[mcp_servers.docs]\ncommand = "npx"\n',
    has: /^# my Codex\n# since 2025\n\nopenai_base_url = "http:.*codex"\nmodel = "gpt/, edit: text => text.replace('[mcp', 'approval_policy = "never"\n\n[mcp')
  },
  'Codex: a base URL of OpenAI’s own, with a comment behind it': { client: 'codex', file: CODEX, content: 'model = "a"\nopenai_base_url = \'https://api.openai.com/v1\'   # direct\n', has: /openai_base_url = "http:[^\n]*"   # direct\n/, edit: text => `${text}[x]\n` },
  'Codex: line ends of Windows': { client: 'codex', file: CODEX, content: 'model = "a"\r\n\r\n[tui]\r\nnotifications = true\r\n', has: /^openai_base_url = "[^\r]*"\r\nmodel/, edit: text => `# new\r\n${text}` },
  'Codex: the mark of its byte order': { client: 'codex', file: CODEX, content: '\uFEFFmodel = "a"\n', has: /^\uFEFFopenai_base_url/, edit: text => `${text}x = 1\n` },
  'Codex: only tables': { client: 'codex', file: CODEX, content: '[profiles.a]\nmodel = "b"\n', has: /^openai_base_url = [^\n]*\n\[profiles/, edit: text => `${text}\n[c]\n` },
  'Codex: only comments, no last line end': { client: 'codex', file: CODEX, content: '# nothing yet', has: /^# nothing yet\nopenai_base_url/ },
  'Codex: empty': { client: 'codex', file: CODEX, content: '', has: /^openai_base_url/ },
  'OpenClaw 2026.9: JSON5 with comments and a last comma': {
    client: 'openclaw', file: OPENCLAW, content: '// OpenClaw\n{\n  gateway: { port: 18789, /* local */ bind: \'loopback\' },\n  models: {\n    // mine\n    providers: {\n      groq: { baseUrl: "https://api.groq.com/v1", api: "openai-completions" },\n    },\n  },\n}\n',
    has: /providers: \{\n {6}"openai": \{ "baseUrl": "http:[^\n]* \} \},\n {6}groq/, edit: text => text.replace('port: 18789', 'port: 18790').replace('// mine', '// still mine')
  },
  'OpenClaw 2026.4: the other generation': { client: 'openclaw', file: OPENCLAW, content: openai2026, has: /^\{\n {2}"models": \{ "providers": \{ "openai-codex": \{ [^\n]*"models": \[\] \} \} \},\n {2}meta/, edit: text => text.replace('"gpt"', '"gpt-5"') },
  'OpenClaw: a provider that is there keeps its models': {
    client: 'openclaw', file: OPENCLAW, content: '{"models":{"providers":{"openai":{"baseUrl":"https://chatgpt.com/backend-api/codex","api":"openai-chatgpt-responses","models":[{"id":"a"}]},"anthropic":{"baseUrl":"https://api.anthropic.com","api":"anthropic-messages"}}}}',
    has: /"openai":\{ "request": \{ "allowPrivateNetwork": true \},"baseUrl":"http:\/\/127\.0\.0\.1:7257\/backend-api\/codex".*"anthropic":\{"baseUrl":"http:\/\/127\.0\.0\.1:7257"/, edit: text => text.replace('"id":"a"', '"id":"b"')
  },
  'OpenClaw: nested includes': { client: 'openclaw', file: OPENCLAW, content: '{\n  "$include": "./base.json5",\n  "agents": { "$include": ["./a.json", "./b.json"] }\n}\n', has: /"\$include": "\.\/base/, edit: text => text.replace('./a.json', './c.json') },
  'OpenClaw: a user adds to what is ours': { client: 'openclaw', file: OPENCLAW, content: '{\n  "a": 1\n}\n', has: /"openai"/, edit: text => text.replace('"a": 1', '"a": 2,\n  "b": "😀"') },
  'Claude Code: tabs, and other variables': { client: 'claude-code', file: CLAUDE, content: '{\n\t"env": {\n\t\t"FOO": "1"\n\t},\n\t"permissions": {"allow": []}\n}\n', has: /\n\t\t"ANTHROPIC_BASE_URL": "http:\/\/127\.0\.0\.1:7257",\n\t\t"FOO"/, edit: text => text.replace('"FOO": "1"', '"FOO": "1",\n\t\t"BAR": "2"') },
  'Claude Code: no line ends at all': { client: 'claude-code', file: CLAUDE, content: '{"model":"opus"}', has: /^\{ "env": \{ "ANTHROPIC_BASE_URL": "[^"]*" \},"model":"opus"\}$/, edit: text => text.replace('opus', 'sonnet') },
  'Claude Code: an empty object': { client: 'claude-code', file: CLAUDE, content: '{}\n', has: /^\{\n {2}"env": \{[^\n]*\n\}\n$/ },
  'Claude Code: an object with nothing but lines': { client: 'claude-code', file: CLAUDE, content: '{\n}\n', has: /"env"/ },
  'Claude Code: line ends of Windows and the mark': { client: 'claude-code', file: CLAUDE, content: '\uFEFF{\r\n  "a": "😀",\r\n  "b": 1\r\n}\r\n', has: /^\uFEFF\{\r\n {2}"env": [^\r]*\r\n {2}"a": "😀"/, edit: text => text.replace('"b": 1', '"b": 2') },
  'opencode: comments in JSON': { client: 'opencode', file: OPENCODE, content: '{\n    // the theme\n    "theme": "x", // dark\n    "provider": {\n        "openai": { "options": { "timeout": 1 } }\n    }\n}\n', has: /"openai": \{ "options": \{ "baseURL": "[^"]*", "timeout": 1/, edit: text => text.replace('// dark', '// light') },
  'qwen-code: nothing of it there yet': { client: 'qwen-code', file: '.qwen/settings.json', content: '{ "ui": { "theme": "a" } }', has: /^\{ "security": \{ "auth": \{ "baseUrl": "[^"]*" \} \}, "ui"/, edit: text => text.replace('"a"', '"b"') },
  'cline: its own providers, one with an address': {
    client: 'cline', file: CLINE, content: '{\n  "version": 1,\n  "providers": {\n    "openai-native": {\n      "settings": {\n        "provider": "openai-native",\n        "apiKey": "sk-x"\n      },\n      "tokenSource": "manual"\n    },\n    "groq": { "settings": { "apiKey": "x" } },\n    "anthropic": { "settings": { "apiKey": "y", "baseUrl": "https://api.anthropic.com/v1" } }\n  }\n}',
    has: /"settings": \{\n {8}"baseUrl": "http:\/\/127\.0\.0\.1:7257\/v1",\n {8}"provider": "openai-native"[^]*"groq": \{ "settings": \{ "apiKey": "x" \} \}[^]*"y", "baseUrl": "http:\/\/127\.0\.0\.1:7257\/v1"/, edit: text => text.replace('"version": 1', '"version": 2')
  },
  'Continue: blocks and comments': {
    client: 'continue', file: CONTINUE, content: '# mine\nname: me\nmodels: # all\n  - name: GPT # the good one\n    provider: openai   # paid\n    # which\n    model: gpt-5\n  - provider: "anthropic"\n    name: Claude\n    apiBase: https://api.anthropic.com/v1/  # direct\n\n  - name: local\n    provider: ollama\nrules: []\n',
    has: /# paid\n {4}apiBase: "http:\/\/127\.0\.0\.1:7257\/v1\/"\n {4}# which\n[^]*apiBase: "http[^\n]*"  # direct\n\n  - name: local\n {4}provider: ollama\nrules/, edit: text => text.replace('rules: []', 'rules: [a]').replace('models: # all\n', 'models: # all\n  - name: first\n    provider: groq\n')
  },
  'Continue: braces': {
    client: 'continue', file: CONTINUE, content: 'models:\n  - {name: a, provider: openai}\n  - { provider: anthropic, name: b }\n  - {\n    name: c, provider: openai,\n    }\n',
    has: /- \{"apiBase": "http[^"]*", name: a, provider: openai\}\n {2}- \{ "apiBase": "http[^"]*", provider: anthropic, name: b \}\n {2}- \{\n {4}"apiBase": "http[^"]*",\n {4}name: c/, edit: text => `# more\n${text}`
  },
  'Continue: JSON': { client: 'continue', file: CONTINUE, content: '{\n  "models": [\n    {\n      "name": "a",\n      "provider": "openai"\n    }\n  ]\n}', has: /\{\n {6}"apiBase": "http[^"]*",\n {6}"name"/, edit: text => text.replace('"a"', '"b"') },
  'Continue: line ends of Windows, the mark, and no last line end': { client: 'continue', file: CONTINUE, content: '\uFEFFmodels:\r\n- name: a\r\n  provider: openai\r\n- model: b\r\n  provider: anthropic', has: /openai\r\n {2}apiBase: "[^\r]*"\r\n- model: b\r\n {2}provider: anthropic\r\n {2}apiBase: "[^\r]*"$/, edit: text => text.replace('name: a', 'name: z') },
  'Continue: anchors that hand values on': {
    client: 'continue', file: CONTINUE, content: '%YAML 1.1\n---\ndefaults: &d\n  provider: openai\n  apiBase: https://api.openai.com/v1/\nmodels:\n  - &a\n    <<: *d\n    name: a\n  - name: b\n    <<: *a\n  - name: c\n    <<: *d\n    apiBase: &u https://api.openai.com/v1\n  - {provider: openai, apiBase: *u}\n',
    has: /<<: \*d\n {4}apiBase: "http[^]*- name: b\n {4}apiBase: "http[^]*apiBase: &u "http[^]*provider: openai, apiBase: "http/, edit: text => text.replace('defaults: &d\n', 'defaults: &d\n  roles: [chat]\n')
  },
  'Continue: texts of several lines, and two of one name': { client: 'continue', file: CONTINUE, content: 'models:\n  - provider: |-\n      openai\n    name: a\n  - name: a\n    apiBase: >-\n      https://api.openai.com/v1\n\n    provider: openai\n', has: /openai\n {4}apiBase: "http[^\n]*\n {4}name: a\n {2}- name: a\n {4}apiBase: "[^\n]*"\n\n/, edit: text => `${text}rules: []\n` },
  'kilo: an empty file': { client: 'kilo', file: '.config/kilo/kilo.json', content: '', has: /"baseURL"/ }
}

const untouched = (text: string): string => text

for (const [name, { client, file: path, content, has, edit = untouched }] of Object.entries(cases)) {
  t.test(name, async t => {
    const home = t.testdir({})
    const file = put(home, path, content)
    chmodSync(file, 0o640)
    const done = await setup(home, [client, '--write', '--yes'])
    t.match(done, { code: 0, err: '', out: new RegExp(`--undo takes it back`) })
    const written = readFileSync(file, 'utf8')
    t.match(written, has)
    t.equal(statSync(file).mode & 0o777, 0o640)
    const folder = readdirSync(dirname(file))
    t.equal(folder.length, 2, 'and a dated copy, nothing else')
    t.match(await setup(home, [client, '--write']), { code: 0, out: /nothing to change/ })
    t.equal(readFileSync(file, 'utf8'), written)
    t.strictSame(readdirSync(dirname(file)), folder)

    const edited = edit(written)
    writeFileSync(file, edited)
    t.match(await setup(home, [client, '--undo', '--yes']), { code: 0, err: '' })
    t.equal(readFileSync(file, 'utf8'), edit(content), 'as it was, or as the user’s own edits have left it')
    t.match(await setup(home, [client, '--undo']), { code: 0, out: /nothing to take back/ })

    writeFileSync(file, content)
    t.match(await setup(home, [client, '--write', '--yes']), { code: 0 })
    t.match(await setup(home, [client, '--undo', '--yes']), { code: 0 })
    t.equal(readFileSync(file, 'utf8'), content, 'byte for byte')
  })
}

const ours = (home: string, ...names: string[]): string[] => readdirSync(join(home, ...names)).filter(name => name.includes('codex-sidecar'))

t.test('TOML is read by its statements: what only looks like one stays', async t => {
  const home = t.testdir({})
  const official = '"https://api.openai.com/v1"'
  for (const [content, has] of [
    [`notes = """\nopenai_base_url = ${official.replaceAll('"', "'")}\n[table]\n"""\nopenai_base_url = ${official}\n`, /"""\nopenai_base_url = "http:/],
    [`args = [ # [x]\n  "a",\n  [ "b" ],\n]\n"openai_base_url"=${official} # direct\n`, /\]\n"openai_base_url"="http:[^"]*" # direct\n$/],
    [`openai_base_url = """${official.slice(1, -1)}"""\n`, /^openai_base_url = "http:[^"]*"\n$/],
    ['tui.openai_base_url = "x"\na = { openai_base_url = "y" }\n[[openai_base_url2]]\nopenai_base_url = "z"\n', /^openai_base_url = "http:[^\n]*\ntui\.openai/],
    [`# openai_base_url = ${official}\r\n\nmodel = "a"\r\n`, /\nopenai_base_url = "http:[^\r\n]*\r\nmodel/],
    [`literal = \'\'\'\n]"\n\'\'\'\'\nempty = []\n`, /^openai/]
  ] as const) {
    const file = put(home, CODEX, content)
    t.match(await setup(home, ['codex', '--write', '--yes']), { code: 0, err: '' })
    t.match(readFileSync(file, 'utf8'), has)
    writeFileSync(file, `# mine\n${readFileSync(file, 'utf8')}`)
    t.match(await setup(home, ['codex', '--undo', '--yes']), { code: 0, err: '' })
    t.equal(readFileSync(file, 'utf8'), `# mine\n${content}`)
  }
  put(home, CODEX, '"openai\\u005fbase_url" = "https://api.openai.com/v1"\n')
  t.match(await setup(home, ['codex', '--write', '--yes']), { code: 1, err: /the edit would break it/ })
})

t.test('JSON5 in its odd ways', async t => {
  const home = t.testdir({})
  for (const content of ['{ say: \'he said "hi", // no\', "\\u0061": 1, }', '{ "env": {}, "env": { "ANTHROPIC_BASE_URL": "https://api.anthropic.com" } }', '{ "x": ["{", {}, [[]]] } // }', '{ // nothing yet\n}', '{ /* ANTHROPIC_BASE_URL: "http://127.0.0.1:7257" */ }', `{ "much": "${'é😀'.repeat(200_000)}" }`]) {
    const file = put(home, CLAUDE, content)
    t.match(await setup(home, ['claude-code', '--write', '--yes']), { code: 0, err: '' })
    t.match(json.parse(readFileSync(file, 'utf8')), { env: { ANTHROPIC_BASE_URL: ORIGIN } })
    writeFileSync(file, `${readFileSync(file, 'utf8')}\n`)
    t.match(await setup(home, ['claude-code', '--undo', '--yes']), { code: 0, err: '' })
    t.equal(readFileSync(file, 'utf8'), `${content}\n`)
  }
  const twice = put(home, CLAUDE, `{ "env": { "ANTHROPIC_BASE_URL": "https://api.anthropic.com", "ANTHROPIC_BASE_URL": "${ORIGIN}" } }`)
  t.match(await setup(home, ['claude-code', '--undo', '--yes']), { code: 1, err: /the edit would change more than it should/ })
  rmSync(twice)
  put(home, CLAUDE, '[]')
  t.match(await setup(home, ['claude-code', '--write', '--yes']), { code: 1, err: /it is no object/ })
})

t.test('a provider without an API of its own is filled, and one of another upstream left', async t => {
  const home = t.testdir({})
  const providers = { openai: { models: [{ id: 'a' }] }, anthropic: { apiKey: 'x' } }
  const write = async (content: object) => {
    const file = put(home, OPENCLAW, JSON.stringify(content))
    const { code, err } = await setup(home, ['openclaw', '--write', '--yes'])
    return { code, err, file, ...JSON.parse(readFileSync(file, 'utf8')) as object }
  }
  t.match(await write({ models: { providers } }), { code: 0, models: { providers: { openai: { models: [{ id: 'a' }], baseUrl: `${ORIGIN}/backend-api/codex`, api: 'openai-chatgpt-responses', request: { allowPrivateNetwork: true } }, anthropic: { apiKey: 'x', baseUrl: ORIGIN } } } })
  const { file, models } = await write({ meta: { lastTouchedVersion: '2026.4.9' }, models: { providers } }) as { file: string, models?: { providers: { openai: object } } }
  t.match(models, { providers: { openai: { baseUrl: `${ORIGIN}/v1`, api: 'openai-responses' } } })
  t.notOk('request' in (models?.providers.openai ?? {}), '2026.4 does not know it')
  writeFileSync(file, `${readFileSync(file, 'utf8')}\n`)
  t.match(await setup(home, ['openclaw', '--undo', '--yes']), { code: 0 })
  t.strictSame(JSON.parse(readFileSync(file, 'utf8')), { meta: { lastTouchedVersion: '2026.4.9' }, models: { providers } })
  t.match(await write({ models: { providers: { openai: { baseUrl: 'https://gate.example/v1' }, groq: {} } } }), { code: 1, err: /leads to an upstream of its own/, models: { providers: { openai: { baseUrl: 'https://gate.example/v1', api: undefined, request: undefined }, groq: {} } } })
  t.match(await write({ models: { providers: { openai: { api: 'openai-responses', request: { allowPrivateNetwork: false } } } } }), { code: 0, models: { providers: { openai: { request: { allowPrivateNetwork: false } } } } }, 'what the user forbids stays so')
})

t.test('OpenClaw’s catalogs of models do not name us any more once it is taken back', async t => {
  const home = t.testdir({})
  const catalog = '{\n  "providers": {\n    "openai-codex": { "baseUrl": "http://127.0.0.1:7257/backend-api", "models": [] },\n    "groq": { "baseUrl": "https://api.groq.com" },\n    "mine": { "baseUrl": "http://127.0.0.1:7257/v1" },\n    "openai": { "baseUrl": "https://api.openai.com/v1" }\n  }\n}\n'
  put(home, OPENCLAW, '{ "a": 1 }')
  put(home, '.openclaw/agents/idle/agent/a', '')
  const file = put(home, '.openclaw/agents/main/agent/models.json', catalog)
  t.match(await setup(home, ['openclaw', '--write', '--yes']), { code: 0 })
  t.match(await setup(home, ['openclaw', '--undo'], 'no\n'), { code: 1 })
  t.equal(readFileSync(file, 'utf8'), catalog)
  t.match(await setup(home, ['openclaw', '--undo', '--yes']), { code: 0, err: '' })
  t.equal(readFileSync(file, 'utf8'), catalog.replace(/\n.*openai-codex.*/, ''))
  writeFileSync(file, catalog)
  t.match(await setup(home, ['openclaw', '--undo', '--yes']), { code: 0, err: '', out: /nothing to take back/ }, 'also where the user has taken it out by hand')
  t.equal(readFileSync(file, 'utf8'), catalog.replace(/\n.*openai-codex.*/, ''))
  writeFileSync(file, '{ "secret')
  t.match(await setup(home, ['openclaw', '--undo', '--yes']), { code: 0, err: /^codex-sidecar: left as it is: catalogs of models that may still name http:\/\/127\.0\.0\.1:7257; stop the client, and try again\n$/ })
})

t.test('a link that leads nowhere yet is followed, and so is one over another', async t => {
  const home = t.testdir({ dotfiles: {}, '.claude': {} })
  symlinkSync('middle.json', join(home, CLAUDE))
  symlinkSync('../dotfiles/claude.json', join(home, '.claude/middle.json'))
  t.match(await setup(home, ['claude-code', '--write', '--yes']), { code: 0 })
  t.match(readFileSync(join(home, 'dotfiles/claude.json'), 'utf8'), ORIGIN)
  t.match(await setup(home, ['claude-code', '--undo', '--yes']), { code: 0, out: /is gone again/ })
  t.ok(lstatSync(join(home, CLAUDE)).isSymbolicLink())
  t.strictSame(readdirSync(join(home, 'dotfiles')), [])
})

t.test('what is no UTF-8 is left alone, byte for byte', async t => {
  const { home, file } = claudeHome(t, '')
  const bytes = Buffer.from('{ "a": "\xe9" }', 'latin1')
  writeFileSync(file, bytes)
  for (const way of ['--write', '--undo']) t.match(await setup(home, ['claude-code', way, '--yes']), { code: 1, err: /settings\.json is left alone: it is not UTF-8/ })
  t.ok(readFileSync(file).equals(bytes))
})

t.test('what its client writes while the question stands is not lost', async t => {
  const { home, file } = claudeHome(t, '{}')
  const asks = (meanwhile: () => void) => run(['setup', 'claude-code', '--write'], { env: { HOME: home }, stdin: (async function * () { meanwhile(); yield 'yes\n' })(), stdout: { write: () => {} }, stderr: { write: text => { said += text } } })
  let said = ''
  t.equal(await asks(() => { writeFileSync(file, '{ "new": 1 }') }), 1)
  t.match(said, /settings\.json has changed meanwhile/)
  t.equal(readFileSync(file, 'utf8'), '{ "new": 1 }')
  t.equal(await asks(() => { rmSync(file) }), 1)
  t.notOk(existsSync(file))
  t.equal(await asks(() => { writeFileSync(file, '{}') }), 1)
  t.equal(readFileSync(file, 'utf8'), '{}')
})

t.test('another name of the file is told of, and keeps the text', async t => {
  const { home, file } = claudeHome(t, '{}')
  linkSync(file, join(home, 'other'))
  t.match(await setup(home, ['claude-code', '--write', '--yes']), { code: 0, err: /had a second name \(a hard link\)/ })
  t.equal(readFileSync(join(home, 'other'), 'utf8'), '{}')
  t.match(await setup(home, ['claude-code', '--undo', '--yes']), { code: 0, err: '' })
})

t.test('each time is taken back to what was before it, whatever is left of an earlier one', async t => {
  const { home, file } = claudeHome(t, '{ "env": { "ANTHROPIC_BASE_URL": "https://api.anthropic.com" } }')
  t.match(await setup(home, ['claude-code', '--write', '--yes']), { code: 0 })
  writeFileSync(file, '{ "later": 1 }') // the user has taken it out by hand
  t.match(await setup(home, ['claude-code', '--write', '--yes']), { code: 0 })
  t.equal(ours(home, '.claude').length, 2)
  t.match(await setup(home, ['claude-code', '--undo', '--yes']), { code: 0 })
  t.equal(readFileSync(file, 'utf8'), '{ "later": 1 }')
})

t.test('what was written with another port says how it is taken back', async t => {
  const home = t.testdir({})
  for (const [client, file] of [['claude-code', CLAUDE], ['codex', CODEX], ['openclaw', OPENCLAW]] as const) {
    put(home, file, client === 'codex' ? '# mine\n' : '{ "a": 1 }')
    t.match(await setup(home, [client, '--write', '--yes', '--port', '7300']), { code: 0 })
    t.match(await setup(home, [client, '--write', '--yes']), { code: 1, err: /leads to port 7300 of this machine; if that is codex-sidecar, take it back first with --undo --port 7300/ })
    t.match(await setup(home, [client, '--undo', '--yes']), { code: 1, err: /--undo --port 7300 takes it back/, out: /nothing to take back/ })
    t.match(await setup(home, [client, '--undo', '--yes', '--port', '7300']), { code: 0 })
    t.strictSame(ours(home, dirname(file)), [])
  }
})

t.test('what is still there of us keeps its copy, and a file with comments in its name goes before the other', async t => {
  const home = t.testdir({})
  const before = '{\n  // mine\n  "a": 1\n}\n'
  const file = put(home, `${OPENCODE}c`, before)
  t.match(await setup(home, ['opencode', '--write', '--yes']), { code: 0 })
  const copies = ours(home, '.config/opencode')
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"anthropic": \{ "options": \{ [^}]*\} \}, /, ''))
  t.match(await setup(home, ['opencode', '--write', '--yes']), { code: 0 })
  t.strictSame([copies.length, ours(home, '.config/opencode')], [1, copies])
  t.match(await setup(home, ['opencode', '--undo', '--yes']), { code: 0 })
  t.equal(readFileSync(file, 'utf8'), before)
  t.notOk(existsSync(join(home, OPENCODE)))
})

t.test('two at once end as one', async t => {
  const { home, file } = claudeHome(t, '{ "a": 1 }')
  const both = await Promise.all([1, 2].map(() => startProcess(t, commandLine(['setup', 'claude-code', '--write', '--yes']), { env: { HOME: home, CLAUDE_CONFIG_DIR: '' } }).exit))
  t.ok(both.some(([code]) => code === 0))
  t.strictSame(JSON.parse(readFileSync(file, 'utf8')), { env: { ANTHROPIC_BASE_URL: ORIGIN }, a: 1 })
  t.match(await setup(home, ['claude-code', '--undo', '--yes']), { code: 0 })
  t.equal(readFileSync(file, 'utf8'), '{ "a": 1 }')
})

const namespaces = await startProcess(t, ['unshare', '-m', 'true']).exit.then(([code]) => code === 0, () => false)

t.test('a full disk and a folder that may not be written change nothing', { skip: !namespaces && 'needs a mount namespace' }, async t => {
  const home = t.testdir({ '.claude': {} })
  const [command, ...args] = commandLine(['setup', 'claude-code', '--write', '--yes'])
  const play = async (mount: string, after = '') => {
    const script = `cd "$HOME/.claude"; mount -t tmpfs -o size=64k tmpfs . && cd . && cd "$HOME/.claude" && echo '{ "a": 1 }' >settings.json && ${mount}; "$@"; echo "exit $?"; ${after} cat settings.json; ls -A`
    const program = startProcess(t, ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script, 'sh', command, ...args], { env: { HOME: home, CLAUDE_CONFIG_DIR: '' } })
    await program.exit
    return program
  }
  t.match(await play('dd if=/dev/zero of=full bs=1k count=100 2>/dev/null'), { out: /^exit 1\n\{ "a": 1 \}\nfull\nsettings\.json\n$/m, err: /left alone \(ENOSPC\)/ })
  t.match(await play('mount -o remount,ro .'), { out: /^exit 1\n\{ "a": 1 \}\nsettings\.json\n$/m, err: /left alone \(EROFS\)/ })
})

/** A home with Claude Code's settings. */
function claudeHome (t: Test, content: string) {
  const home = t.testdir({})
  return { home, file: put(home, CLAUDE, content) }
}

t.test('it asks, and takes no for an answer', async t => {
  const { home, file } = claudeHome(t, '{ "apiKeyHelper": "secret", "a": 1 }')
  const refused = await setup(home, ['claude-code', '--write'])
  t.match(refused, { code: 1, err: /is left alone; --yes writes it without asking\n$/, out: /--- ~\/\.claude\/settings\.json\n[^]*\+\{ "env"[^]*Write this\? \[y\/N\] \n$/ })
  t.notMatch(refused.out, 'secret')
  t.match(await setup(home, ['claude-code', '--write'], 'no\n'), { code: 1 })
  t.notMatch(readFileSync(file, 'utf8'), ORIGIN)
  t.match(await setup(home, ['claude-code', '--write'], 'y\n'), { code: 0 })
  t.match(readFileSync(file, 'utf8'), ORIGIN)
})

t.test('a file that is not there is made, and is gone again', async t => {
  const home = t.testdir({})
  for (const [client, file] of [['claude-code', CLAUDE], ['codex', CODEX]] as const) {
    t.match(await setup(home, [client, '--undo', '--yes']), { code: 0, out: /nothing to take back/ })
    t.match(await setup(home, [client, '--write', '--yes']), { code: 0 })
    t.equal(statSync(join(home, file)).mode & 0o777, 0o600)
    t.match(await setup(home, [client, '--undo', '--yes']), { code: 0, out: /is gone again/ })
    t.notOk(existsSync(join(home, file)))
  }
})

t.test('a link stays one, and what it leads to is written', async t => {
  const home = t.testdir({ dotfiles: { 'claude.json': '{}\n' }, '.claude': {} })
  symlinkSync('../dotfiles/claude.json', join(home, CLAUDE))
  t.match(await setup(home, ['claude-code', '--write', '--yes']), { code: 0 })
  t.ok(lstatSync(join(home, CLAUDE)).isSymbolicLink())
  t.match(readFileSync(join(home, 'dotfiles/claude.json'), 'utf8'), ORIGIN)
  t.match(await setup(home, ['claude-code', '--undo', '--yes']), { code: 0 })
  t.equal(readFileSync(join(home, 'dotfiles/claude.json'), 'utf8'), '{}\n')

  t.match(await setup(home, ['claude-code', '--write', '--yes']), { code: 0 })
  const file = join(home, 'dotfiles/claude.json')
  writeFileSync(file, readFileSync(file, 'utf8').replace('{', '{\r\n\t"mine": 1,'))
  chmodSync(file, 0o444)
  const written = readFileSync(file, 'utf8')
  t.match(await setup(home, ['claude-code', '--undo', '--yes']), { code: 1, err: /is read-only/ })
  t.equal(readFileSync(file, 'utf8'), written, 'read-only since: it waits for its owner')
  chmodSync(file, 0o644)
  t.match(await setup(home, ['claude-code', '--undo', '--yes']), { code: 0 })
  t.strictSame(JSON.parse(readFileSync(file, 'utf8')), { mine: 1 })
  t.ok(lstatSync(join(home, CLAUDE)).isSymbolicLink())
})

t.test('what can not be written well is left alone, and says why', async t => {
  for (const [client, path, content] of [['claude-code', CLAUDE, '{\n "a": 1,\n "secret" 2\n}'], ['codex', CODEX, 'a = 1\nsecret = \n'], ['openclaw', OPENCLAW, '{ models: "x" }']] as const) {
    const home = t.testdir({})
    const file = put(home, path, content)
    for (const way of ['--write', '--undo']) {
      const { code, out, err } = await setup(home, [client, way, '--yes'])
      if (content.includes('secret')) t.match({ code, err }, { code: 1, err: /is left alone: line [23] of it is not valid/ })
      else if (way === '--write') t.match({ code, err }, { code: 1, err: /models is no object/ })
      t.notMatch(out + err, 'secret')
    }
    t.equal(readFileSync(file, 'utf8'), content)
  }
  const { home, file } = claudeHome(t, '{}')
  chmodSync(file, 0o444)
  t.match(await setup(home, ['claude-code', '--write', '--yes']), { code: 1, err: /is read-only/ })
  mkdirSync(join(home, CODEX), { recursive: true })
  t.match(await setup(home, ['codex', '--write', '--yes']), { code: 1, err: /of codex is left alone \(EISDIR\)/ })
  const other = t.testdir({})
  put(other, CODEX, 'model_provider = "mine"\n')
  t.match(await setup(other, ['codex', '--write', '--yes']), { code: 1, err: /model_provider is "mine"/, out: /nothing to change/ })
  t.match(await setup(home, ['ai', '--write']), { code: 1, err: /nothing is written for ai; codex-sidecar setup ai prints/ })
})

t.test('Continue’s models are taken back by their names, wherever the user has put them', async t => {
  const home = t.testdir({})
  const file = put(home, CONTINUE, 'models:\n  - name: a\n    provider: openai\n    apiBase: https://api.openai.com/v1 # mine\n  - {name: b, provider: anthropic}\n')
  t.match(await setup(home, ['continue', '--write', '--yes']), { code: 0, err: '' })
  const ourUrl = `${ORIGIN}/v1/`
  const local = '  - provider: ollama\n    apiBase: http://127.0.0.1:11434/\n'
  writeFileSync(file, `models:\n${local}  - {name: b, "apiBase": "${ourUrl}", provider: anthropic}\n  - apiBase: ${ORIGIN}/v1 # new\n\n    # it\n    name: c\n    provider: other\n  - {name: d, # d\n    apiBase: ${ourUrl}}\n  - name: a\n    provider: openai\n    apiBase: "${ourUrl}" # mine\n`)
  t.match(await setup(home, ['continue', '--undo', '--yes']), { code: 0, err: '' })
  t.equal(readFileSync(file, 'utf8'), `models:\n${local}  - {name: b, provider: anthropic}\n  - # it\n    name: c\n    provider: other\n  - {name: d # d\n    }\n  - name: a\n    provider: openai\n    apiBase: https://api.openai.com/v1 # mine\n`)
  t.match(await setup(home, ['continue', '--undo', '--yes']), { code: 0, err: '', out: /nothing to take back/ }, 'another program’s port is not asked about')
})

t.test('YAML that is no place for an edit is left alone, and says why', async t => {
  const home = t.testdir({})
  for (const [content, err] of [
    ['models:\n  - name: a\n\t  provider: openai\n', /line 3 of it is not valid/],
    ['a: 1\n---\nmodels: []\n', /line 2 of it is not valid/],
    ['a: "secret\nb: 1\n', /line 3 of it is not valid/],
    ['models: *secret\n', /config\.yaml is left alone: it is not valid/],
    ['', /models has none with the provider openai or anthropic/],
    ['[]', /models has none/],
    ['models:\n  - uses: openai/gpt-5\n  - uses: anthropic/b\n    override: { apiBase: "http://x" }\n', /^[^\n]*uses: openai\/gpt-5 is a model from elsewhere; its override can have apiBase: http:\/\/127\.0\.0\.1:7257\/v1\/\n$/],
    ['models:\n  - name: mine\n    provider: openai\n    apiBase: https://gate.example/v1\n', /models\.mine\.apiBase leads to an upstream of its own/],
    ['models:\n  - name: mine\n    provider: openai\n    apiBase: # none\n', /models\.mine\.apiBase is empty/],
    ['models:\n  - &a {name: a, provider: openai}\n  - *a\n', /the edit would change more than it should/],
    ['%YAML 1.1\n---\nx: &x\n  models: [{name: a, provider: openai}]\n<<: *x\n', /models\.a is no mapping of its own/]
  ] as const) {
    const file = put(home, CONTINUE, content)
    const done = await setup(home, ['continue', '--write', '--yes'])
    t.match(done, { code: 1, err }, content)
    t.notMatch(done.err, 'secret')
    t.equal(readFileSync(file, 'utf8'), content)
    t.strictSame(ours(home, '.continue'), [])
  }
  t.equal(yaml.sourceAt('a: 1', ['a', 'b', 'c']), undefined)
  t.equal(yaml.sourceAt('a: { b: { c: 1 } }', ['a', 'b', 'c']), '1')
  t.equal(yaml.sourceAt('a: { b: 1 }', ['a', 'c']), undefined)
  t.equal(yaml.restore('a: 1', ['b'], '2'), 'a: 1')
  t.equal(yaml.remove('a: 1', ['b', 'c']), 'a: 1')
  t.equal(yaml.remove('a: 1', ['b']), 'a: 1')
  t.equal(yaml.remove('{ a: 1 }', ['a']), '{ }')
  t.equal(yaml.remove('{ a: 1, b: 2, c: 3 }', ['b']), '{ a: 1, c: 3 }')
  t.equal(yaml.set('a:\n  b: 1\n', ['a', 'c'], 2), 'a:\n  b: 1\n  c: 2\n')
})

t.test('providers of Cline’s that are not there are its own to make, and its variables say where they are', async t => {
  const home = t.testdir({})
  t.match(await setup(home, ['cline', '--write', '--yes']), { code: 1, out: /nothing to change/, err: /cline auth -p openai-native -k "\$OPENAI_API_KEY" -m MODEL makes one/ })
  t.notOk(existsSync(join(home, '.cline')))
  const content = '{ "providers": { "openai-compatible": { "settings": { "baseUrl": "https://gate.example/v1" } }, "openai": {}, "openai-native": { "settings": {} } } }'
  const file = put(home, CLINE, content)
  t.match(await setup(home, ['cline', '--write', '--yes']), { code: 0, err: /providers\.openai-compatible\.settings\.baseUrl leads to an upstream of its own/ })
  t.strictSame(JSON.parse(readFileSync(file, 'utf8')), { providers: { 'openai-compatible': { settings: { baseUrl: 'https://gate.example/v1' } }, openai: {}, 'openai-native': { settings: { baseUrl: `${ORIGIN}/v1` } } } })
  const { cline, continue: continues } = targets
  const of = (target: typeof cline, env: Record<string, string>): string | undefined => target?.({ HOME: '/h', ...env }, loadConfig(), { service: undefined, wanted: false }).file
  t.strictSame([{}, { CLINE_DIR: '/c' }, { CLINE_DATA_DIR: '/d' }, { CLINE_PROVIDER_SETTINGS_PATH: '/p.json' }].map(env => of(cline, env)), ['/h/.cline/data/settings/providers.json', '/c/data/settings/providers.json', '/d/settings/providers.json', '/p.json'])
  t.strictSame([{}, { CONTINUE_GLOBAL_DIR: '/g' }].map(env => of(continues, env)), ['/h/.continue/config.yaml', '/g/config.yaml'])
})

t.test('an API key goes to the route of API keys', async t => {
  const home = t.testdir({})
  put(home, '.codex/auth.json', '{ "OPENAI_API_KEY": "sk-a" }')
  const codex = put(home, CODEX, 'model = "a"\n')
  const openclaw = put(home, OPENCLAW, '{ "auth": { "profiles": { "openai:default": { "provider": "openai", "mode": "api_key" } } } }')
  for (const [client, file] of [['codex', codex], ['openclaw', openclaw]] as const) {
    const before = readFileSync(file, 'utf8')
    t.match(await setup(home, [client, '--write', '--yes']), { code: 0 })
    t.match(readFileSync(file, 'utf8'), `${ORIGIN}/v1"`)
    writeFileSync(file, `${readFileSync(file, 'utf8')}\n`)
    t.match(await setup(home, [client, '--undo', '--yes']), { code: 0 })
    t.equal(readFileSync(file, 'utf8'), `${before}\n`)
  }
})

t.test('a key that a variable holds goes to the route of API keys, unless the client has a login', async t => {
  const keys = { CODEX_API_KEY: 'sk-a', OPENAI_API_KEY: 'sk-a' }
  const oauth = '"auth": { "profiles": { "openai:default": { "provider": "openai", "mode": "oauth" } } }'
  for (const [client, file, content, path] of [
    ['codex', CODEX, 'model = "a"\n', 'v1'],
    ['openclaw', OPENCLAW, '{\n  // mine\n  "a": 1\n}\n', 'v1'],
    ['openclaw', OPENCLAW, '{ "models": { "providers": { "openai": { "timeoutSeconds": 9 } } } }', 'v1'],
    ['openclaw', OPENCLAW, '{ "auth": { "profiles": { "x": { "provider": "anthropic" } } } }', 'v1'],
    ['openclaw', OPENCLAW, `{ ${oauth} }`, 'backend-api/codex'],
    ['openclaw', OPENCLAW, '{ "$include": "./logins.json" }', 'backend-api/codex']
  ] as const) {
    const home = t.testdir({})
    put(home, '.openclaw/logins.json', `{ ${oauth} }`)
    const written = put(home, file, content)
    t.match(await setup(home, [client, '--write', '--yes'], '', SELF, keys), { code: 0, err: '' })
    t.match(readFileSync(written, 'utf8'), `"${ORIGIN}/${path}"`, content)
    t.match(await setup(home, [client, '--undo', '--yes']), { code: 0, err: '' }, 'in a shell without the key')
    t.equal(readFileSync(written, 'utf8'), content)
  }
  const home = t.testdir({})
  put(home, '.codex/auth.json', '{ "tokens": { "access_token": "a.b.c" } }')
  t.match(await setup(home, ['codex', '--write', '--yes'], '', SELF, keys), { code: 0 })
  t.match(readFileSync(join(home, CODEX), 'utf8'), `"${ORIGIN}/backend-api/codex"`)
})

t.test('what is named to take it back has the flags that were given', async t => {
  const home = t.testdir({})
  const { port } = await startSidecar(t, { upstream: 'http://127.0.0.1:9' })
  t.match(await setup(home, ['claude-code', '--write', '--yes', '--port', String(port)]), { code: 0, out: new RegExp(`; codex-sidecar setup claude-code --port=${port} --undo takes it back\n$`) }, 'and nothing else where one listens')
  t.match(await setup(home, ['claude-code', `--port=${port}`, '--undo', '--yes']), { code: 0, out: /gone again/ })
  t.match(await setup(home, ['claude-code', '--write', '--yes', '--port', String(await freePort())]), { code: 0, out: /takes it back\ncodex-sidecar: none answers at http:.*codex-sidecar service install, starts one\n$/ })
})

t.test('OpenClaw is told how to start it, and forgets it again', async t => {
  const entries = {
    'nothing of it there': '{\n  "a": 1\n}\n',
    'API keys': '{ "auth": { "profiles": { "openai:default": { "provider": "openai", "mode": "api_key" } } } }',
    'entries that are there': '{"models":{"providers":{"openai":{"baseUrl":"https://chatgpt.com/backend-api/codex","api":"openai-chatgpt-responses"},"openai-codex":{"baseUrl":"https://chatgpt.com/backend-api","api":"openai-codex-responses"}}}}'
  }
  for (const [name, content] of Object.entries(entries)) {
    const home = t.testdir({})
    const file = put(home, OPENCLAW, content)
    t.match(await setup(home, ['openclaw', '--write', '--yes', '--local-service', '--port', '7300']), { code: 0, err: '' }, name)
    const { models: { providers } } = JSON.parse(readFileSync(file, 'utf8')) as { models: { providers: Record<string, object> } }
    t.match(providers['openai'], { localService: { command: '/usr/bin/node', args: ['/opt/main.js', '--port=7300'], healthUrl: 'http://127.0.0.1:7300/livez', idleStopMs: 600_000 } }, name)
    t.notMatch(providers['openai-codex'] ?? {}, { localService: {} }, '2026.4 knows no such lines')
    writeFileSync(file, readFileSync(file, 'utf8').replace('"a": 1', '"a": 2'))
    t.match(await setup(home, ['openclaw', '--undo', '--yes', '--port', '7300']), { code: 0, err: '' })
    t.equal(readFileSync(file, 'utf8'), content.replace('"a": 1', '"a": 2'))
  }
  t.match(await setup(t.testdir({}), ['openclaw', '--local-service']), { code: 0, out: /"anthropic":\{[^\n]*"localService":\{"command":"\/usr\/bin\/node","args":\["\/opt\/main\.js"\]/ })
  t.notMatch(await setup(t.testdir({}), ['openclaw']), { out: /localService/ }, 'only where it is asked for')
  const home = t.testdir({})
  const unknown = await setup(home, ['openclaw', '--write', '--yes', '--local-service'], '', NOBODY)
  t.match(unknown, { code: 0 })
  t.notMatch(readFileSync(join(home, OPENCLAW), 'utf8'), 'localService', 'nor where it is not known what runs it')
  t.match(await setup(home, ['openclaw', '--undo', '--yes'], '', NOBODY), { code: 0, out: /is gone again/ })
})

t.test('OpenClaw loads the plugin from where it lies, and knows nothing of it afterwards', async t => {
  const folder = ownFolder('config/openclaw-plugin')
  const entry = (...args: string[]): object => ({ enabled: true, ...args.length > 0 ? { config: { args } } : {} })
  const contents: Readonly<Record<string, readonly [content: string, expected: object]>> = {
    'comments, a list of what is allowed, and models': [
      '// mine\n{\n  plugins: { allow: [\'openai\'], /* all */ load: { paths: ["/opt/x"] } },\n  agents: { defaults: { model: { primary: "openai/gpt-5.4", fallbacks: ["a/b"] }, models: { "openai/gpt-5.4": {} } } },\n  a: 1,\n}\n',
      { plugins: { allow: ['openai', 'codex-sidecar'], load: { paths: ['/opt/x', folder] } }, agents: { defaults: { model: { primary: 'codex-sidecar/gpt-5.4', fallbacks: ['a/b'] }, models: { 'openai/gpt-5.4': {}, 'codex-sidecar/gpt-5.4': {} } } } }
    ],
    'a model alone': ['{ "a": 1, "agents": { "defaults": { "model": "openai/gpt-5.4" } } }', { plugins: { load: { paths: [folder] } }, agents: { defaults: { model: 'codex-sidecar/gpt-5.4' } } }]
  }
  for (const [name, [content, expected]] of Object.entries(contents)) {
    for (const edited of [false, true]) {
      const home = t.testdir({})
      const file = put(home, OPENCLAW, content)
      t.match(await setup(home, ['openclaw', '--plugin', '--write', '--yes']), { code: 0, err: '', out: /setup openclaw --plugin --undo takes it back/ }, name)
      t.match(json.parse(readFileSync(file, 'utf8')), { ...expected, plugins: { ...(expected as { plugins: object }).plugins, entries: { 'codex-sidecar': entry() } } })
      t.match(await setup(home, ['openclaw', '--plugin', '--write', '--yes']), { code: 0, out: /nothing to change/ })
      const edit = (text: string): string => edited ? text.replace(/("?a"?): 1/, '$1: 2') : text
      writeFileSync(file, edit(readFileSync(file, 'utf8')))
      t.match(await setup(home, ['openclaw', '--plugin', '--undo', '--yes']), { code: 0, err: '' })
      t.equal(readFileSync(file, 'utf8'), edit(content), 'byte for byte')
    }
  }
  const home = t.testdir({})
  const file = put(home, OPENCLAW, '{}\n')
  t.match(await setup(home, ['openclaw', '--plugin', '--log-level=warn'], 'y\n'), { code: 0, out: /Write this\?/, err: /names no model of OpenAI’s/ }, 'it asks, and a model is the user’s to choose')
  t.match(json.parse(readFileSync(file, 'utf8')), { plugins: { entries: { 'codex-sidecar': entry('--log-level=warn') } } })
  writeFileSync(file, readFileSync(file, 'utf8').replace(`"${folder}"`, `"${folder}", "/opt/later"`))
  t.match(await setup(home, ['openclaw', '--plugin', '--undo', '--yes', '--log-level=warn']), { code: 0 })
  t.strictSame(json.parse(readFileSync(file, 'utf8')), { plugins: { load: { paths: [folder, '/opt/later'] } } }, 'what came behind it stays')
  t.throws(() => pluginTarget({}, '/nowhere', []), /does not lie in \/nowhere/)
  t.equal(ownFolder('a', { isSea: () => true }), join(dirname(process.execPath), 'a'), 'one file has it beside it')
})

t.test('a base URL of the user’s own stays: ours would get its key', async t => {
  const { home, file } = claudeHome(t, '{ "env": { "ANTHROPIC_BASE_URL": "https://gate.example" } }')
  t.match(await setup(home, ['claude-code', '--write', '--yes']), { code: 1, err: /ANTHROPIC_BASE_URL leads to an upstream of its own/, out: /nothing to change/ })
  t.match(readFileSync(file, 'utf8'), 'gate.example')
})

t.test('what the user has put into an entry of ours stays', async t => {
  const home = t.testdir({})
  const file = put(home, OPENCLAW, '{\n  "a": 1\n}\n')
  await setup(home, ['openclaw', '--write', '--yes'])
  writeFileSync(file, readFileSync(file, 'utf8').replace('"api"', '"timeoutSeconds": 5, "api"'))
  t.match(await setup(home, ['openclaw', '--undo', '--yes']), { code: 0 })
  t.strictSame(JSON.parse(readFileSync(file, 'utf8')), { models: { providers: { openai: { timeoutSeconds: 5 } } }, a: 1 })
})

t.test('an edit touches its own place only', async t => {
  t.equal(sourceAt('{ a: { b: 1 } }', ['a', 'b']), '1')
  t.equal(sourceAt('{ a: 1 }', ['a', 'b']), undefined)
  t.equal(sourceAt('{ a: 1 }', ['b']), undefined)
  t.throws(() => setAt('{ a: 1 }', ['a', 'b'], '2'), /a is no object/)
  t.equal(setAt('{\n\t"a": {}\n}', ['a', 'b'], '1'), '{\n\t"a": {\n\t\t"b": 1\n\t}\n}')
  t.equal(removeAt('{ a: 1 }', ['a', 'b']), '{ a: 1 }')
  t.equal(removeAt('{ a: 1, b: 2 }', ['b']), '{ a: 1 }')
  t.equal(removeAt('{ a: 1, b: 2 /* two */, c: 3 }', ['b']), '{ a: 1, /* two */ c: 3 }')
  t.equal(removeAt('{\n  a: 1\n}', ['a']), '{}')
  t.equal(removeAt('{ a: 1 /* one */ }', ['a']), '{ /* one */ }')
  t.throws(() => applyChanges('{}', [{ path: ['a'], value: 1 }], { ...json, set: () => '{ "b": 1 }' }, loadConfig()), /would change more than it should/)
  t.equal(removeToml('a = 1', 'b'), 'a = 1')
  t.equal(removeAt('{ a: 1, // ,\n b: 2 }', ['b']), '{ a: 1 // ,\n  }')
  t.equal(removeAt('{ a: { b: 1 /* x */ }, c: 2 /* y */, d: 3 }', ['a', 'b']), '{ a: { /* x */ }, c: 2 /* y */, d: 3 }')
  t.match(diffOf('f', 'a\nb\n"auth": "x", "y": "sk-1"\nc\nd', 'a\nB\n"auth": "x", "y": "sk-1"\nc'), /^---.*\n.*\n@@ line 2 @@\n-b\n\+B\n@@ line 5 @@\n-d\n$/)
  t.match(diffOf('f', '', '"auth": "x", "y": "sk-1"'), /\+"auth": "…", "y": "…"\n/)
  t.match(diffOf('f', 'a\n"apiKey": "s3", x\nb', 'a\nc\nb'), /^--- f\n\+\+\+ f\n@@ line 2 @@\n-"apiKey": "…", x\n\+c\n$/)
})

t.test('another port of this machine is told from what leads elsewhere', async t => {
  const config = loadConfig({ env: {} })
  t.strictSame(['http://localhost:1/v1', ORIGIN, 'https://gate.example/v1', 'nowhere'].map(text => otherPort(text, config)), [1, undefined, undefined, undefined])
})
