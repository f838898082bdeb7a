import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import json5 from 'json5'
import { parse as parseToml } from 'smol-toml'
import t from 'tap'
import { parse as parseYaml } from 'yaml'
import { run } from '../../src/cli.ts'
import { Random } from '../fixtures/random.ts'

// Configurations as nobody would write them: whatever stands in them, `--write` and `--undo` of each client leave all that is
// not ours as it is, also what the user adds in between. A seed shows the same ones again.

const CASES = Number(process.env['SETUP_CASES'] ?? 12)

/** Where the user adds something later. */
const MARK = 'the user adds here'

const urls = ['https://api.openai.com/v1', 'https://chatgpt.com/backend-api/codex', 'https://api.anthropic.com']

/** Texts that look like what is to be written. */
const lures = ['openai_base_url = "x"', '[table]', '"baseURL": "http://127.0.0.1:7257/v1",', '{', '}', ',', ']', '#', '//', '/* ', 'é😀', 'ANTHROPIC_BASE_URL', '"', '\'', '\\']

/** Choices of a configuration. */
const choices = (random: Random) => ({
  of: <T>(...list: readonly T[]): T => random.pick(list),
  chance: (part: number): boolean => random.next() < part,
  between: (least: number, most: number): number => least + random.below(most - least + 1)
})

/** JSON5 with everything that it allows, for the keys of a client. */
function json (random: Random, keys: readonly string[][]): string {
  const { of, chance, between } = choices(random)
  const newline = of('\n', '\r\n')
  const indent = of('  ', '    ', '\t')
  const comment = (): string => of(`// ${of(...lures)}, ${of(...lures)}${newline}`, `/* ${of(...lures)} */`)
  const blanks = (deep: number): string => of('', ' ', newline + indent.repeat(deep), `${newline}${newline}`) + (chance(0.2) ? comment() : '') + (chance(0.2) ? of(' ', newline) : '')
  const text = (): string => of(JSON.stringify(of(...lures)), `'${of(...lures).replace(/['\\]/g, '\\$&')}'`, JSON.stringify(of(...urls)))
  const keyOf = (name: string): string => of(JSON.stringify(name), `'${name}'`, /^[a-zA-Z_$][\w$]*$/.test(name) ? name : JSON.stringify(name))
  const value = (deep: number): string => of(
    () => text(), () => of('1', '-.5e3', '+0x1F', 'Infinity', 'null', 'true'),
    () => deep > 4 ? '[]' : `[${blanks(deep)}${value(deep + 1)}${of(',', '')}${blanks(deep)}]`, () => deep > 4 ? '{}' : object(deep, []))()
  const object = (deep: number, paths: readonly string[][]): string => {
    const firsts = [...new Set(paths.flatMap(([first]) => first ?? []))].filter(() => chance(0.7))
    const others = Array.from({ length: between(0, 3) }, (_, i) => `${of('a', 'key', 'models', 'x-1', 'ünï')}${deep}${i}`)
    const names = [...firsts, ...others].sort(() => between(0, 2) - 1)
    const entries = names.map(name => {
      const inner = paths.filter(([first]) => first === name).map(([, ...rest]) => rest)
      const leaf = inner.some(({ length }) => length === 0)
      return `${blanks(deep)}${keyOf(name)}${of('', ' ')}:${of('', ' ', newline)}${leaf ? JSON.stringify(of(...urls)) : inner.length > 0 ? object(deep + 1, inner) : value(deep)}${blanks(deep)}`
    })
    const mark = chance(0.3) ? `/*${MARK}${entries.length === 0 ? '' : ','}*/` : ''
    return `{${mark}${entries.join(',')}${entries.length > 0 && chance(0.2) ? `,${blanks(deep)}` : ''}}`
  }
  return `${of('', '\uFEFF')}${blanks(0)}${object(1, keys)}${blanks(0)}${of('', newline)}`
}

/** Where the object was empty, it may hold what is ours by now. */
const editJson = (text: string): string => text.replace(new RegExp(`/\\*${MARK}(,?)\\*/`, 'g'), (_, comma: string, at: number) => comma === '' && !/\{\s*$/.test(text.slice(0, at)) ? ', "mine": 1' : `"mine": 1${comma} `)

/** TOML with everything that it allows. */
function toml (random: Random): string {
  const { of, chance, between } = choices(random)
  const newline = of('\n', '\r\n')
  const lure = (): string => of(...lures)
  const several = (): string => [lure(), 'openai_base_url = "y"', '[b]', lure()].join(newline)
  const value = (deep = 0): string => of(
    () => JSON.stringify(lure()), () => `'${lure().replace(/'/g, '')}'`, () => '1979-05-27 07:32:00Z', () => '0x1f', () => 'true',
    () => `"""${several().replace(/[\\"]/g, '')}${of('', ' "', ' ""', ' \\"""')}"""`, () => `'''${newline}${several().replace(/'/g, '')}${of('', ' \'', ' \'\'')}'''`,
    () => deep > 2 ? '[]' : `[${newline} # ${lure()}${newline}${value(deep + 1)}, # ]${newline}${value(deep + 1)}${of('', ',')}${newline}]`,
    () => deep > 2 ? '{}' : `{ openai_base_url = ${value(3).replace(/[\r\n]/g, '')}, 'b.c' = 1, d.e = "}" }`)()
  const line = (i: number): string => of(`# ${lure()}`, `#${MARK}`, '', ' \t', `k${i} = ${value()}`, `"openai_base_url${i}" = ${value()} # ${lure()}`, `'a.${i}'=${value()}`, `\tdot${i}.openai_base_url = ${value()}`)
  const own = `${of('openai_base_url', '"openai_base_url"', '\'openai_base_url\'')}${of('=', ' = ', '\t=\t')}${of(`"${of(...urls)}"`, `'${of(...urls)}'`, `"""${of(...urls)}"""`)}${of('', '  # direct', ' ')}`
  const top = Array.from({ length: between(0, 6) }, (_, i) => line(i))
  if (chance(0.4)) top.splice(between(0, top.length), 0, own)
  const tables = Array.from({ length: between(0, 3) }, (_, i) => of(`[t${i}]`, `[[aot]]`, ` [ "q ${i}".'x' ] # [`) + newline + of(own, '', `k = ${value()}`) + newline)
  return `${of('', '\uFEFF')}${[...top, ...tables].join(newline)}${of('', newline)}`
}

const editToml = (text: string): string => { let i = 0; return text.replace(new RegExp(`#${MARK}`, 'g'), () => `mine${i++} = "x" #`) }

/** YAML with models in lines and in braces. */
function yaml (random: Random): string {
  const { of, chance, between } = choices(random)
  const newline = of('\n', '\r\n')
  const list = of('', '  ', '    ')
  const lure = (): string => of(...lures, 'apiBase: "http://127.0.0.1:7257/v1/"', '- name: x', '---', '%YAML 1.1', '&a', '*a', '|', '\u2028')
  const text = (): string => of(JSON.stringify(lure()), `'${lure().replace(/'/g, '\'\'')}'`)
  const comment = (): string => chance(0.3) ? ` # ${lure()}` : ''
  const url = (): string => of(...urls, `"${of(...urls)}"`, `'${of(...urls)}'`)
  const several = (deep: string): string => of('|', '|-', '>+', '>2') + comment() + [lure(), 'provider: openai', '', '# no comment', lure()].map(line => newline + (line === '' ? '' : `${deep}  ${line}`)).join('')
  const pairs = (i: number): readonly (readonly [string, string])[] => [
    ['name', of(`m${i}`, 'same', text())],
    ['provider', i === 0 ? of('openai', '"anthropic"', '\'openai\'') : of('openai', 'anthropic', 'ollama', '"openai"')],
    ...chance(0.4) ? [['apiBase', url()] as const] : [],
    ...chance(0.7) ? [['model', of('gpt-5', text())] as const] : [],
    ...chance(0.3) ? [['roles', of('[chat, "]"]', '[]', '{}')] as const] : []
  ].sort(() => between(0, 2) - 1) as [string, string][]
  const flow = (i: number, deep: string): string => {
    const pad = of('', ' ', newline + deep)
    const key = (name: string): string => of(name, `"${name}"`)
    return `{${pad}${pairs(i).map(([name, value]) => `${key(name)}: ${value}`).join(of(', ', ',  ', `,${newline}${deep}`, `, # ${MARK}s${newline}${deep}`))}${pad}}`
  }
  const block = (i: number, deep: string): string => {
    const lines = pairs(i).map(([name, value]) => `${of(name, name, `"${name}"`)}:${of(' ', '   ')}${chance(0.1) && name === 'apiBase' ? `>-${newline}${deep}  ${of(...urls)}` : value + comment()}`)
    if (chance(0.3)) lines.splice(between(0, lines.length), 0, `notes: ${several(deep)}`)
    return lines.join(newline + (chance(0.2) ? `${deep}# ${lure()}${newline}` : '') + deep)
  }
  const models = Array.from({ length: between(1, 4) }, (_, i) => {
    const deep = `${list}${of('  ', '    ')}`
    const dash = `${list}-${' '.repeat(deep.length - list.length - 1)}`
    return (chance(0.5) ? dash + flow(i, deep) : chance(0.2) ? `${list}-${comment()}${newline}${deep}${block(i, deep)}` : dash + block(i, deep)) + newline + (chance(0.3) ? `${list}#${MARK}${newline}` : '')
  })
  const others = (n: number): string => Array.from({ length: between(0, 2) }, (_, i) => of(`# ${lure()}`, '', `k${n}${i}: ${text()}`, `k${n}${i}: ${several('')}`, `k${n}${i}:${newline}  apiBase: ${url()}`) + newline).join('')
  const whole = `${of('', '\uFEFF')}${others(1)}models:${comment()}${newline}${models.join('')}${others(2)}`
  return chance(0.2) ? whole.replace(/\r?\n$/, '') : whole
}

const editYaml = (text: string): string => text.replace(new RegExp(`^( *)#${MARK}`, 'gm'), '$1- {name: mine, provider: openai}')

interface Kind { readonly file: string, readonly make: (random: Random) => string, readonly edit: (text: string) => string, readonly parse: (text: string) => unknown }

const jsonOf = (file: string, ...keys: string[][]): Kind => ({ file, make: random => json(random, keys), edit: editJson, parse: text => json5.parse<unknown>(text) })
const at = (name: string, ...keys: string[]): string[] => ['models', 'providers', name, ...keys]

const kinds: Readonly<Record<string, Kind>> = {
  codex: { file: '.codex/config.toml', make: toml, edit: editToml, parse: text => parseToml(text.replace(/^\uFEFF/, '')) },
  openclaw: jsonOf('.openclaw/openclaw.json', at('openai', 'baseUrl'), at('openai', 'request', 'x'), at('anthropic', 'baseUrl'), at('openai-codex', 'models'), ['meta']),
  'claude-code': jsonOf('.claude/settings.json', ['env', 'ANTHROPIC_BASE_URL'], ['env', 'FOO']),
  opencode: jsonOf('.config/opencode/opencode.jsonc', ['provider', 'openai', 'options', 'baseURL'], ['provider', 'anthropic', 'name']),
  kilo: jsonOf('.config/kilo/kilo.json', ['provider', 'anthropic', 'options', 'baseURL']),
  continue: { file: '.continue/config.yaml', make: yaml, edit: editYaml, parse: text => parseYaml(text.replace(/^\uFEFF/, '')) as unknown },
  'qwen-code': jsonOf('.qwen/settings.json', ['security', 'auth', 'baseUrl'])
}

for (const [client, { file: name, make, edit, parse }] of Object.entries(kinds)) {
  t.test(`${client}: ${CASES} configurations, written, written again, taken back, and with additions in between`, async t => {
    const home = t.testdir({})
    const file = join(home, name)
    mkdirSync(dirname(file), { recursive: true })
    const setup = async (...args: string[]) => {
      let said = ''
      const write = (text: string): void => { said += text }
      const code = await run(['setup', client, '--yes', ...args], { env: { HOME: home }, stdin: process.stdin, stdout: { write: () => {} }, stderr: { write } })
      return { code, said }
    }
    let [written, alone, exact] = [0, 0, 0]
    const { seed } = new Random()
    for (let i = 0; i < CASES; i++) {
      const before = make(new Random(seed + i))
      const problems: string[] = []
      writeFileSync(file, before)
      const { code, said } = await setup('--write')
      if (/line \d+ of it is not valid/.test(said)) { alone++; try { parse(before); problems.push(`it is valid: ${said}`) } catch { /* it is not */ } }
      else if (code !== 0) problems.push(said)
      else {
        written++
        const after = readFileSync(file, 'utf8')
        if (!JSON.stringify(parse(after)).includes('http://127.0.0.1:7257')) problems.push('not written')
        await setup('--write')
        if (readFileSync(file, 'utf8') !== after) problems.push('written twice')
        await setup('--undo')
        if (readFileSync(file, 'utf8') !== before) problems.push('not as before')
        if (readdirSync(dirname(file)).length > 1) problems.push('something is left')

        await setup('--write')
        writeFileSync(file, edit(readFileSync(file, 'utf8')))
        await setup('--undo')
        const [undone, edited] = [readFileSync(file, 'utf8'), edit(before)]
        if (undone === edited) exact++
        if (!isDeepStrictEqual(parse(undone), parse(edited))) problems.push(`additions: ${JSON.stringify(undone)} for ${JSON.stringify(edited)}`)
        if (readdirSync(dirname(file)).length > 1) problems.push('something is left of the second')
      }
      if (problems.length > 0) t.fail(`seed ${seed + i}: ${problems.join('; ')}: ${JSON.stringify(before)}`)
      if (problems.length > 0) return
    }
    t.ok(written > CASES / 2)
    t.comment(`${written} written and taken back, ${exact} of them byte for byte with additions too, ${alone} not valid and left alone`)
  })
}
