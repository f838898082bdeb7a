/**
 * The status page: asks for the status again and again, and releases tokens.
 * @import { Status } from '../status.ts'
 */
import { part, put } from './dom.js'
import { showCredentials } from './credentials.js'
import { showHour } from './picture.js'
import { showRefusals } from './refusals.js'
import { showClients, showRoutes, showState, showVerdicts } from './view.js'

/** ms between two looks. */
const PAUSE = 3_000

const live = part('live', HTMLInputElement)
const find = part('find', HTMLInputElement)
const wanted = { credentials: 10, refusals: 10, verdicts: 50 }
/** @type {string | undefined} */
let newest
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer
/** Of several looks under way the last one counts. */
let looks = 0

/**
 * Tells those who can not see it.
 * @param {string} words
 */
const say = words => { put(part('said', HTMLElement), words) }

/** @param {Status} status */
function show (status) {
  showState(status)
  showCredentials(status, wanted.credentials)
  showHour(status)
  showRoutes(status)
  showRefusals(status, wanted.refusals)
  showVerdicts(status, { most: wanted.verdicts, find: find.value.trim() })
  showClients(status)
  const [last] = status.refusals
  if (last !== undefined && newest !== undefined && last.requestId !== newest) say(`New: ${last.code}. ${last.message}`)
  newest = last?.requestId ?? ''
}

/** Asks for the status and shows it; then again after a pause, while somebody looks. */
async function look () {
  clearTimeout(timer)
  const mine = ++looks
  const query = new URLSearchParams({ verdicts: String(wanted.verdicts + 1), find: find.value.trim() })
  try {
    const answer = await fetch(`/status?${query}`, { headers: { accept: 'application/json' } })
    const status = /** @type {Status} */ (await answer.json())
    if (mine === looks) show(status)
  } catch {
    const state = part('state', HTMLElement)
    state.className = 'bad'
    put(state, 'codex-sidecar does not answer. What is below may be outdated.')
  }
  if (mine === looks && live.checked && !document.hidden) timer = setTimeout(() => void look(), PAUSE)
}

/** @param {HTMLButtonElement} button */
async function release (button) {
  const token = button.dataset['release'] ?? ''
  const section = button.closest('section')
  try {
    const answer = await fetch(`/status/verdicts/${token}`, { method: 'DELETE' })
    say(answer.ok ? `Token ${token} is released.` : `Token ${token} could not be released.`)
  } catch {
    say('codex-sidecar does not answer.')
  }
  await look()
  // Its button is gone, and with it the place where the keyboard was.
  if (document.activeElement === document.body) section?.querySelector('h2')?.focus()
}

/** @param {HTMLElement} button */
async function copy (button) {
  const code = button.parentElement?.querySelector('code')
  if (!code) return
  try {
    await navigator.clipboard.writeText(code.textContent)
    say('Copied.')
    put(button, 'Copied')
    setTimeout(() => { put(button, 'Copy') }, 2_000)
  } catch { // only pages from this machine or over TLS may write to the clipboard
    getSelection()?.selectAllChildren(code)
    say('Selected.')
  }
}

document.addEventListener('click', ({ target }) => {
  if (!(target instanceof HTMLButtonElement)) return
  if (target.dataset['release'] !== undefined) void release(target)
  if (target.dataset['copy'] !== undefined) void copy(target)
})
part('credentials-more', HTMLButtonElement).addEventListener('click', () => { wanted.credentials = 100; void look() })
part('refusals-more', HTMLButtonElement).addEventListener('click', () => { wanted.refusals = 50; void look() })
part('verdicts-more', HTMLButtonElement).addEventListener('click', () => { wanted.verdicts += 150; void look() })
part('finder', HTMLFormElement).addEventListener('submit', event => { event.preventDefault(); void look() })
find.addEventListener('input', () => void look())
live.addEventListener('change', () => void look())
document.addEventListener('visibilitychange', () => void look())
void look()
