import { loadConfig } from '../config.ts'
import type { Command } from './command.ts'
import { recipes } from './setup/lines.ts'

/** Prints the lines that point a client here. Exit 2 for a client it does not know, or whose routes the configuration lacks. */
export const setup: Command = ({ flags, env, words: [client = ''], stdout, stderr }) => {
  const config = loadConfig({ flags, env })
  const recipe = Object.hasOwn(recipes, client) ? recipes[client] : undefined
  if (recipe === undefined) {
    stderr.write(`codex-sidecar: setup needs one of ${Object.keys(recipes).join(', ')}\n`)
    return 2
  }
  const prefixes = config.routes.map(({ prefix }) => prefix)
  const all = recipe(config)
  const usable = all.filter(({ needs }) => needs === '' || prefixes.includes(needs))
  if (!usable.some(({ needs }) => needs !== '')) {
    const missing = [...new Set(all.flatMap(({ needs }) => needs === '' ? [] : `${needs}/`))]
    stderr.write(`codex-sidecar: this configuration has no route ${missing.join(' or ')} for ${client}; it has ${prefixes.map(prefix => `${prefix}/`).join(', ')}\n`)
    return 2
  }
  stdout.write(usable.map(({ text }) => text).join('\n'))
  return 0
}
