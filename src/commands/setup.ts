import { loadConfig } from '../config/config.ts'
import { baseUrls, recipes, usableRecipes } from '../status/setup-lines.ts'
import type { Command } from './command.ts'
import { ownOrigin } from './own-address.ts'

/** Prints the lines that point a client here. Exit 2 for a client it does not know, or whose routes the configuration lacks. */
export const setup: Command = ({ flags, env, words: [client = ''], stdout, stderr }) => {
  const config = loadConfig({ flags, env })
  const recipe = Object.hasOwn(recipes, client) ? recipes[client] : undefined
  if (recipe === undefined) {
    stderr.write(`codex-sidecar: setup needs one of ${Object.keys(recipes).join(', ')}\n`)
    return 2
  }
  const prefixes = config.routes.map(({ prefix }) => prefix)
  const all = recipe(baseUrls(ownOrigin(config)))
  const usable = usableRecipes(all, prefixes)
  if (usable.length === 0) {
    const missing = [...new Set(all.flatMap(({ needs }) => needs === '' ? [] : `${needs}/`))]
    stderr.write(`codex-sidecar: this configuration has no route ${missing.join(' or ')} for ${client}; it has ${prefixes.map(prefix => `${prefix}/`).join(', ')}\n`)
    return 2
  }
  stdout.write(usable.map(({ heading, lines }) => [heading, ...lines.map(line => `  ${line}`)].join('\n')).join('\n\n') + '\n')
  return 0
}
