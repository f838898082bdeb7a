import { rmSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../../config/config.ts'
import { ownFolder } from '../../config/package-files.ts'
import type { CommandContext } from '../command.ts'
import { otherPort, ownOrigin } from '../own-address.ts'
import { askRunning, notRunning } from '../running.ts'
import { tableOf, textOf, type Table } from '../../wire/json.ts'
import { shown } from '../../config/home.ts'
import { targets, type Change, type Target } from './changes.ts'
import { isHardLinked, isReadOnly, keepCopy, latestCopy, readConfig, replaceConfig, type ClientConfig } from './client-config.ts'
import { diffOf } from './diff.ts'
import { EditError } from './edit/error.ts'
import { applyChanges, pointsAsOurs, takeBack, type Edited } from './edit/edits.ts'
import { valueAt } from './edit/values.ts'
import { givenFlags, localService } from './local-service.ts'
import { pluginTarget } from './openclaw-plugin.ts'

/** What is to be written for a client. */
function targetOf (client: string, context: CommandContext, config: Config): Target | undefined {
  const { env, flags } = context
  if (client !== 'openclaw' || !('plugin' in flags)) return targets[client]?.(env, config, { service: localService(context, ownOrigin(config)), wanted: 'local-service' in flags })
  return pluginTarget(env, ownFolder('config/openclaw-plugin'), givenFlags(flags))
}

/** The line where a parser has stopped; its words quote the file, secrets included. */
function parsed (target: Target, text: string, name: string): Table {
  try {
    return target.format.parse(text)
  } catch (error) {
    const { line, lineNumber = line } = error as { line?: number, lineNumber?: number }
    throw new EditError(`${name} is left alone: ${lineNumber === undefined ? '' : `line ${lineNumber} of `}it is not valid`)
  }
}

/** The first line that a person types; without a line end where there is nobody who types. */
async function answerOf (stdin: CommandContext['stdin']): Promise<string> {
  let typed = ''
  for await (const chunk of stdin) {
    typed += chunk.toString()
    if (typed.includes('\n')) break
  }
  return typed
}

/** Shows a change and asks for it, unless the answer is given already. @throws EditError where the answer is no */
async function agree ({ flags, stdin, stdout }: CommandContext, diff: string, name: string): Promise<void> {
  stdout.write(diff)
  if ('yes' in flags) return
  stdout.write('Write this? [y/N] ')
  const answer = await answerOf(stdin)
  if (/^y(?:es)?$/i.test(answer.trim())) return
  if (!answer.includes('\n')) stdout.write('\n')
  throw new EditError(`${name} is left alone${answer === '' ? '; --yes writes it without asking' : ''}`)
}

function planWrite (target: Target, { text }: ClientConfig, name: string, config: Config): Edited {
  const content = parsed(target, text, name)
  const { text: after, left } = applyChanges(text, target.changes(content), target.format, config)
  return { text: after, left: [...left, ...target.left?.(content) ?? []] }
}

/** What may be left to take back with another --port. */
function withOtherPort (possible: readonly Change[], content: Table, config: Config): string[] {
  const values = possible.flatMap(({ path, value }) => [[path, value], [[...path, 'baseUrl'], tableOf(value)['baseUrl']]] as const)
    .map(([path, ours]) => typeof ours === 'string' ? textOf(valueAt(content, path)) : undefined)
  const ports = values.map(value => value === undefined ? undefined : otherPort(value, config)).filter(port => port !== undefined)
  return [...new Set(ports)].map(port => `what leads to port ${port} of this machine; if that is codex-sidecar, --undo --port ${port} takes it back`)
}

/** The very bytes of the copy where nobody has changed anything since; else our values are taken out of what there is. */
function planUndo (target: Target, current: ClientConfig, name: string, config: Config): Edited {
  const { format } = target
  const content = parsed(target, current.text, name)
  const copy = latestCopy(current)
  const before = copy === undefined ? format.empty : readConfig(copy).text
  const possible = target.possible(content)
  const asBefore = applyChanges(before, target.changes(parsed(target, before, shown(copy ?? '', {}))), format, config).text === current.text
  const text = asBefore ? before : takeBack(current.text, possible, format, before, config)
  return { text, left: text === current.text ? withOtherPort(possible, content, config) : [] }
}

/** Has a client forget our address where it has made something of it. @returns what could not be done, for a person */
function forget (target: Target, origin: string): string[] {
  try {
    target.forget?.()
    return []
  } catch {
    return [`catalogs of models that may still name ${origin}; stop the client, and try again`]
  }
}

/**
 * Writes a client's configuration, or takes back what was written. Asks first unless `--yes` is given.
 * @returns the exit code: 0 done or nothing to do, 1 left alone
 */
export async function writeSetup (client: string, undo: boolean, context: CommandContext, config: Config): Promise<number> {
  const { env, stdout, stderr } = context
  const target = targetOf(client, context, config)
  if (target === undefined) throw new EditError(`nothing is written for ${client}; codex-sidecar setup ${client} prints its lines and says where they go`)
  const name = shown(target.file, env)
  const current = readConfig(target.file)
  const { text, left } = (undo ? planUndo : planWrite)(target, current, name, config)
  const tell = (words: string): unknown => stderr.write(`codex-sidecar: left as it is: ${words}\n`)
  left.forEach(tell)
  if (text === current.text || undo && current.stats === undefined) {
    stdout.write(`${name}: nothing to ${undo ? 'take back' : 'change'}\n`)
    if (undo) forget(target, ownOrigin(config)).forEach(tell)
    return left.length > 0 ? 1 : 0
  }
  if (isReadOnly(current)) throw new EditError(`${name} is read-only, so it is left alone`)
  await agree(context, diffOf(name, current.text, text), name)
  if (isHardLinked(current)) stderr.write(`codex-sidecar: ${name} had a second name (a hard link), which keeps the text as it was\n`)
  if (undo) {
    stdout.write(`${name} is ${takeAway(target, current, text) ? 'gone again' : 'written'}\n`)
    forget(target, ownOrigin(config)).forEach(tell)
  } else {
    keepWhatWas(target, current, config)
    replaceConfig(current, text)
    stdout.write(`${name} is written; codex-sidecar ${['setup', client, ...'plugin' in context.flags ? ['--plugin'] : [], ...givenFlags(context.flags), '--undo'].join(' ')} takes it back\n`)
    const startsUs = 'plugin' in context.flags || 'local-service' in context.flags
    if (!startsUs && await askRunning(config, { path: '/livez' }) === undefined) stdout.write(notRunning(config))
  }
  return 0
}

/** Keeps a copy from before us; one that is there holds what was before what is ours in the file, as long as there is any. */
function keepWhatWas (target: Target, current: ClientConfig, config: Config): void {
  const { stats, text } = current
  if (stats === undefined) return
  const content = target.format.parse(text)
  const has = target.possible(content).some(({ path, value: ours }) => {
    const value = valueAt(content, path)
    return pointsAsOurs(value, ours, config) || typeof ours === 'object' && isDeepStrictEqual(value, ours)
  })
  if (!has || latestCopy(current) === undefined) keepCopy(current)
}

/** Puts the text in place, or takes the file away that was made by us, and the copy that has done its duty. @returns whether the file is gone */
function takeAway ({ format }: Target, current: ClientConfig, text: string): boolean {
  const copy = latestCopy(current)
  const gone = copy === undefined && text.trim() === format.empty.trim()
  if (gone) rmSync(current.path)
  else replaceConfig(current, text)
  if (copy !== undefined) rmSync(copy)
  return gone
}

/** The same, with what cannot be done said in words. */
export async function writeOrRefuse (client: string, undo: boolean, context: CommandContext, config: Config): Promise<number> {
  try {
    return await writeSetup(client, undo, context, config)
  } catch (error) {
    const { code = 'it is written in a way that is not known here' } = error as NodeJS.ErrnoException
    // A parser's own words quote the file, secrets included.
    context.stderr.write(`codex-sidecar: ${error instanceof EditError ? error.message : `the configuration of ${client} is left alone (${code})`}\n`)
    return 1
  }
}
