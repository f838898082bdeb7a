import { readFileSync, readdirSync } from 'node:fs'
import t from 'tap'
import { loadConfig } from '../src/config.ts'
import { optionsSchema } from '../src/options.ts'

const folder = new URL('../config/', import.meta.url)
const examples = readdirSync(folder).filter(name => name.endsWith('.jsonc'))
const load = (name: string) => loadConfig({ flags: { config: new URL(name, folder).pathname } })

t.test('every example is a configuration without a mistake', async t => {
  t.ok(examples.length >= 3, `there are ${examples.length}`)
  for (const name of examples) t.doesNotThrow(() => load(name), name)
})

t.test('laptop.jsonc holds the defaults', async t => {
  t.strictSame(load('laptop.jsonc'), loadConfig())
})

t.test('laptop.jsonc names every option', async t => {
  const text = readFileSync(new URL('laptop.jsonc', folder), 'utf8')
  for (const [name, { properties }] of Object.entries(optionsSchema.properties as Record<string, { properties?: object }>)) {
    for (const option of [name, ...Object.keys(properties ?? {})]) t.ok(text.includes(`"${option}": `), option)
  }
})

t.test('own-upstream.jsonc sends the bare root to the server beneath /codex', async t => {
  const { routes } = load('own-upstream.jsonc')
  t.match(routes.find(({ prefix }) => prefix === '/codex'), { upstream: 'http://127.0.0.1:8000/', dialect: 'openai', credential: ['authorization'] })
})
