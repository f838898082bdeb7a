import { loadConfig } from '../config/config.ts'
import { baseUrls, recipes, usableRecipes } from '../status/setup-lines.ts'
import type { Command } from './command.ts'
import { ownOrigin } from './own-address.ts'
import { localService } from './setup/local-service.ts'
import { writeOrRefuse } from './setup/write.ts'

/** What clients are called too: by their commands. */
const aliases: ReadonlyMap<string, string> = new Map([['claude', 'claude-code'], ['qwen', 'qwen-code']])

/**
 * Prints the lines that point a client here; with `--write` they are written into its configuration, with `--undo` taken
 * back; with `--local-service` OpenClaw's have it start us, with `--plugin` its plugin does. Exit 1 where a configuration is left alone, 2 for a client it does not know, or whose routes the configuration
 * lacks.
 */
export const setup: Command = async context => {
  const { flags: { write, undo, yes: _, 'local-service': started, plugin, ...flags }, env, words: [called = ''], stdout, stderr } = context
  const client = aliases.get(called) ?? called
  const config = loadConfig({ flags, env })
  const recipe = Object.hasOwn(recipes, client) ? recipes[client] : undefined
  if (recipe === undefined) {
    stderr.write(`codex-sidecar: ${called === '' ? 'setup needs' : `no client ${JSON.stringify(called)}; there is`} one of ${Object.keys(recipes).join(', ')}\n`)
    return 2
  }
  const prefixes = config.routes.map(({ prefix }) => prefix)
  const origin = ownOrigin(config)
  const all = recipe(baseUrls(origin, started === undefined ? undefined : localService(context, origin)))
  const usable = usableRecipes(all, prefixes)
  if (usable.length === 0) {
    const missing = [...new Set(all.flatMap(({ needs }) => needs === '' ? [] : `${needs}/`))]
    stderr.write(`codex-sidecar: this configuration has no route ${missing.join(' or ')} for ${client}; it has ${prefixes.map(prefix => `${prefix}/`).join(', ')}\n`)
    return 2
  }
  if (write !== undefined || undo !== undefined || plugin !== undefined && client === 'openclaw') return await writeOrRefuse(client, undo !== undefined, context, config)
  stdout.write(usable.map(({ heading, lines }) => [heading, ...lines.map(line => `  ${line}`)].join('\n')).join('\n\n') + '\n')
  return 0
}
