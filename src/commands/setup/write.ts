import { readFileSync, rmSync } from 'node:fs'
import type { Config } from '../../config/config.ts'
import type { CommandContext } from '../command.ts'
import { ownOrigin } from '../own-address.ts'
import type { Table } from '../../wire/json.ts'
import { shown } from '../../config/home.ts'
import { targets, type Target } from './changes.ts'
import { isReadOnly, keepCopy, latestCopy, readConfig, replaceConfig, type ClientConfig } from './client-config.ts'
import { diffOf } from './diff.ts'
import { EditError } from './edit-json.ts'
import { applyChanges, takeBack, type Edited } from './edits.ts'
import { localService } from './local-service.ts'

/** The line where a parser has stopped; its words quote the file, secrets included. */
function parsed (target: Target, text: string, name: string): Table {
  try {
    return target.format.parse(text)
  } catch (error) {
    const { line, lineNumber = line } = error as { line?: number, lineNumber?: number }
    throw new EditError(`${name} is left alone: line ${lineNumber} of it is not valid`)
  }
}

/** The first line that a person types. */
async function answerOf (stdin: CommandContext['stdin']): Promise<string> {
  let typed = ''
  for await (const chunk of stdin) {
    typed += chunk.toString()
    if (typed.includes('\n')) break
  }
  return typed.trim()
}

/** Shows a change and asks for it, unless the answer is given already. */
async function agreed ({ flags, stdin, stdout }: CommandContext, diff: string): Promise<boolean> {
  stdout.write(diff)
  if ('yes' in flags) return true
  stdout.write('Write this? [y/N] ')
  return /^y(?:es)?$/i.test(await answerOf(stdin))
}

/** What the file is to become, and the copy to restore by. */
interface Plan { readonly edited: Edited, readonly copy: string | undefined }

function planWrite (target: Target, { text }: ClientConfig, name: string, config: Config): Edited {
  const content = parsed(target, text, name)
  const { text: after, left } = applyChanges(text, target.changes(content), target.format, config)
  return { text: after, left: [...left, ...target.left?.(content) ?? []] }
}

/** The very bytes of the copy where nobody has changed anything since; else our values are taken out of what there is. */
function planUndo (target: Target, current: ClientConfig, name: string, config: Config): Plan {
  const { format } = target
  const content = parsed(target, current.text, name)
  const copy = latestCopy(current)
  const before = copy === undefined ? format.empty : readFileSync(copy, 'utf8').slice(current.bom.length)
  const possible = target.possible(content)
  if (applyChanges(before, target.changes(parsed(target, before, shown(copy ?? '', {}))), format, config).text === current.text) return { edited: { text: before, left: [] }, copy }
  return { edited: { text: takeBack(current.text, possible, format, before, config), left: [] }, copy }
}

/**
 * Writes a client's configuration, or takes back what was written. Asks first unless `--yes` is given.
 * @returns the exit code: 0 done or nothing to do, 1 left alone
 */
export async function writeSetup (client: string, undo: boolean, context: CommandContext, config: Config): Promise<number> {
  const { env, stdout, stderr } = context
  const target = targets[client]?.(env, config, { service: localService(context, ownOrigin(config)), wanted: 'local-service' in context.flags })
  if (target === undefined) throw new EditError(`nothing is written for ${client}; codex-sidecar setup ${client} prints its lines and says where they go`)
  const name = shown(target.file, env)
  const current = readConfig(target.file)
  const { edited, copy } = undo ? planUndo(target, current, name, config) : { edited: planWrite(target, current, name, config), copy: latestCopy(current) }
  for (const words of edited.left) stderr.write(`codex-sidecar: left as it is: ${words}\n`)
  if (edited.text === current.text || undo && current.stats === undefined) {
    stdout.write(`${name}: nothing to ${undo ? 'take back' : 'change'}\n`)
    return edited.left.length > 0 ? 1 : 0
  }
  if (isReadOnly(current)) throw new EditError(`${name} is read-only, so it is left alone`)
  if (!await agreed(context, diffOf(name, current.text, edited.text))) throw new EditError(`${name} is left alone`)
  const made = undo && copy === undefined && edited.text.trim() === target.format.empty.trim()
  if (made) rmSync(current.path)
  else replaceWith(current, edited.text, undo)
  if (undo && copy !== undefined && edited.text === readFileSync(copy, 'utf8').slice(current.bom.length)) rmSync(copy)
  stdout.write(made ? `${name} is gone again\n` : `${name} is written${undo ? '' : `; codex-sidecar setup ${client} --undo takes it back`}\n`)
  return 0
}

/** The first copy is the one from before us; later ones would hold what is ours. */
function replaceWith (current: ClientConfig, text: string, undo: boolean): void {
  if (!undo && current.stats !== undefined && latestCopy(current) === undefined) keepCopy(current)
  replaceConfig(current, text)
}

/** The same, with what cannot be done said in words. */
export async function writeOrRefuse (client: string, undo: boolean, context: CommandContext, config: Config): Promise<number> {
  try {
    return await writeSetup(client, undo, context, config)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // A parser's own words quote the file, secrets included.
    context.stderr.write(`codex-sidecar: ${error instanceof EditError ? error.message : `the configuration of ${client} is left alone (${code})`}\n`)
    return 1
  }
}
