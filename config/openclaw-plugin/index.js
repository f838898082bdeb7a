import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const ID = 'codex-sidecar'
/** Where requests go while there is no codex-sidecar: as they would without it. */
const STRAIGHT = 'https://chatgpt.com/backend-api/codex'
/** Milliseconds that a start may take; between two looks whether it has; before what ended by itself is started again. */
const [PATIENCE, LOOK, PAUSE] = [20_000, 50, 250]

/** OpenClaw loads this file once for each of its generations of models: all of them speak to one codex-sidecar. */
const shared = globalThis[Symbol.for('codex-sidecar.openclaw')] ??= { starting: Promise.resolve() }

/** The program: as it is configured, beside this folder, or on PATH. */
function program (command, root) {
  const beside = join(root, '..', '..', 'dist', 'main.js')
  return command !== undefined ? [command] : existsSync(beside) ? [process.execPath, beside] : [ID]
}

/** Starts codex-sidecar on a free port. */
async function start ({ command, args = [] }, root) {
  const folder = await mkdtemp(join(tmpdir(), 'codex-sidecar-'))
  const file = join(folder, 'server-info.json')
  const [first, ...rest] = program(command, root)
  const child = spawn(first, [...rest, ...args, '--port=0', `--server-info=${file}`], { stdio: 'ignore' })
  const end = () => child.kill()
  process.once('exit', end)
  let trouble
  const ended = new Promise(resolve => child.once('error', ({ message }) => { resolve(message) }).once('exit', (code, signal) => { resolve(`it ended with ${code ?? signal}`) })).then(async words => {
    trouble = words
    process.off('exit', end)
    await rm(folder, { recursive: true, force: true })
    return words
  })
  for (const limit = Date.now() + PATIENCE; trouble === undefined && Date.now() < limit; await sleep(LOOK)) {
    const text = await readFile(file, 'utf8').catch(() => '')
    if (text !== '') return { child, ended, url: JSON.parse(text).url }
  }
  child.kill()
  throw new Error(trouble ?? 'it is silent')
}

/** Keeps one running for as long as the service is wanted. */
async function keep (settings, root, logger) {
  try {
    const { child, ended, url } = await start(settings, root)
    if (!shared.wanted) return child.kill()
    Object.assign(shared, { child, ended, url })
    logger.info(`codex-sidecar listens at ${url} (pid ${child.pid})`)
    ended.then(words => {
      shared.url = undefined
      if (!shared.wanted) return
      logger.warn(`codex-sidecar: ${words}; it is started again`)
      shared.starting = sleep(PAUSE).then(() => keep(settings, root, logger))
    })
  } catch ({ message }) {
    logger.error(`codex-sidecar cannot be started (${message}), so requests go straight to the upstream`)
  }
}

const baseUrl = () => shared.url === undefined ? STRAIGHT : `${shared.url}/backend-api/codex`

export default {
  id: ID,
  name: ID,
  description: 'codex-sidecar before the Codex route',
  register ({ pluginConfig = {}, rootDir, logger, registerService, registerProvider }) {
    registerService({
      id: ID,
      async start () {
        shared.wanted = true
        await (shared.starting = keep(pluginConfig, rootDir, logger))
      },
      async stop () {
        shared.wanted = false
        shared.child?.kill()
        await shared.ended
      }
    })
    registerProvider({
      id: ID,
      label: 'OpenAI by codex-sidecar',
      auth: [],
      // Each model of OpenAI's, with what OpenClaw knows of it.
      resolveDynamicModel: ({ modelId, modelRegistry }) => ({
        name: modelId, reasoning: true, input: ['text', 'image'], cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }, contextWindow: 272_000, maxTokens: 128_000,
        ...modelRegistry.find('openai', modelId),
        id: modelId, provider: ID, api: 'openai-chatgpt-responses', baseUrl: baseUrl()
      }),
      wrapStreamFn: ({ streamFn }) => streamFn && (async (model, ...others) => {
        await shared.starting
        return streamFn({ ...model, baseUrl: baseUrl() }, ...others)
      }),
      // OpenClaw's own "auth" would bench the login for everyone who uses it. This goes on to the next login and model, and benches nothing.
      classifyFailoverReason: ({ status, errorMessage }) => status === 401 || /^401\b/.test(errorMessage) ? 'empty_response' : undefined
    })
  }
}
