import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Where requests go while there is no codex-sidecar: as they would without it. */
const STRAIGHT = 'https://chatgpt.com/backend-api/codex'
/** Milliseconds that a start may take; between two looks whether it has; how long one has to live to be started again at once, and the pause else. */
const [PATIENCE, LOOK, LIFE, PAUSE] = [20_000, 20, 5_000, 1_000]

/** OpenClaw loads the plugin once for each of its generations of models: all of them speak to one codex-sidecar. */
const shared = globalThis[Symbol.for('codex-sidecar.openclaw')] ??= { starting: Promise.resolve() }

/** The program: as it is configured, beside this folder, or on PATH. */
function program (command, root) {
  const beside = join(root, '..', '..', 'dist', 'main.js')
  return command !== undefined ? [command] : existsSync(beside) ? [process.execPath, beside] : ['codex-sidecar']
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
  const ended = new Promise(resolve => child.once('error', ({ message }) => { resolve(message) }).once('exit', (code, signal) => { resolve(`it ended with ${code ?? signal}`) })).then(words => {
    trouble = words
    process.off('exit', end)
    rm(folder, { recursive: true, force: true }).catch(() => {}) // nothing waits for it
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
    const born = Date.now()
    Object.assign(shared, { child, ended, url })
    logger.info(`codex-sidecar listens at ${url} (pid ${child.pid})`)
    ended.then(words => {
      shared.url = undefined
      if (!shared.wanted) return
      logger.warn(`codex-sidecar: ${words}; it is started again`)
      const again = () => keep(settings, root, logger)
      shared.starting = Date.now() - born > LIFE ? again() : sleep(PAUSE).then(again)
    })
  } catch ({ message }) {
    logger.error(`codex-sidecar cannot be started (${message}), so requests go straight to the upstream`)
  }
}

/** Base URL of the Codex route, as it is now. */
export const baseUrl = () => shared.url === undefined ? STRAIGHT : `${shared.url}/backend-api/codex`

/** OpenClaw's service that keeps codex-sidecar running. */
export const keeper = (settings, root, logger) => ({
  /** Fulfilled once a start that is under way has come to its end. */
  started: () => shared.starting,
  async start () {
    shared.wanted = true
    await (shared.starting = keep(settings, root, logger))
  },
  async stop () {
    shared.wanted = false
    shared.child?.kill()
    await shared.ended
  }
})
