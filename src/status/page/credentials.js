/**
 * The person's own credentials: which one, how it stands, who uses it, and the one thing to do.
 * @import { Status } from '../status.ts'
 */
import { keep, length, make, part, put } from './dom.js'

/** @typedef {Status['credentials']['list'][number]} Credential */

/** A sign and a word for each state: none is told by its colour alone. */
const states = {
  good: ['✓', 'good'], refused: ['✗', 'refused'], expired: ['✗', 'expired'], limited: ['!', 'at its limit'], partly: ['!', 'refused for some requests'], unclear: ['?', 'unclear']
}

/** @param {Credential} credential */
function endOf ({ endsInSeconds }) {
  if (endsInSeconds === null) return ''
  return endsInSeconds < 0 ? `ended ${length(-endsInSeconds)} ago` : `ends in ${length(endsInSeconds)}`
}

/** @param {Credential} credential */
function standing ({ state, words, source, ageSeconds }) {
  if (source === 'claims') return words // what it says of itself is no news
  const by = source === 'upstream' ? 'by the upstream, ' : source === 'probe' ? 'by the upstream when it was asked, ' : source === null ? '' : `by its ${source}, `
  const verb = state === 'good' ? '' : state === 'refused' ? 'refused ' : ''
  return `${verb}${by}${length(ageSeconds)} ago: ${words}`
}

/** @param {Credential} credential */
function counts ({ requests: { good, refused, limited, failed, other }, usedSecondsAgo }) {
  const some = [[good, 'good'], [refused, 'refused'], [limited, 'at a limit'], [failed, 'failed'], [other, 'other']].filter(([count]) => count !== 0)
  return `${some.map(([count, name]) => `${count} ${name}`).join(', ')}; the last ${length(usedSecondsAgo)} ago`
}

/** @param {Credential} credential */
const users = ({ clients }) => `Used by ${clients.map(({ name, version }) => version === '' ? name : `${name} ${version}`).join(', ')}`

/** @param {Credential} credential */
const limitsOf = ({ limits }) => limits.length === 0 ? '' : `Limits: ${limits.map(({ name, words }) => `${name}: ${words}`).join('; ')}`

/** @param {Credential} credential */
function makeCredential ({ token, name }) {
  return make('li', {}, [
    make('p', { class: 'who' }, [
      make('strong', {}, [name]),
      make('span', { class: 'badge' }, [make('span', { 'aria-hidden': 'true' }), make('span')]),
      make('span', { class: 'end' }),
      make('button', { type: 'button', 'data-release': token, 'aria-label': `Release ${name}, token ${token}` }, ['Release'])
    ]),
    make('p', { class: 'todo' }), make('p'), make('p', { class: 'hint' }), make('p', { class: 'hint' })
  ])
}

/**
 * @param {HTMLElement} item
 * @param {Credential} credential
 */
function update (item, credential) {
  const { state, todo, held, token } = credential
  const [sign, word] = /** @type {[string, string]} */ (states[state])
  item.setAttribute('data-state', state)
  const [who, ...lines] = /** @type {HTMLElement[]} */ ([...item.children])
  const [, badge, end, button] = /** @type {HTMLElement[]} */ ([...who?.children ?? []])
  put(badge?.children[0], sign)
  put(badge?.children[1], ` ${word}`)
  put(end, endOf(credential))
  if (button) button.hidden = !held
  const texts = [todo === null ? '' : `→ ${todo}`, standing(credential), `${users(credential)} · ${counts(credential)} · token ${token}`, limitsOf(credential)]
  lines.forEach((line, i) => {
    const text = texts[i] ?? ''
    put(line, text)
    line.hidden = text === ''
  })
}

/**
 * Those that need somebody first.
 * @param {Status} status
 * @param {number} most
 */
export function showCredentials ({ credentials: { kept, list } }, most) {
  part('credentials-none', HTMLElement).hidden = list.length > 0
  keep(part('credentials', HTMLElement), list.slice(0, most), { key: ({ token }) => token, create: makeCredential, update })
  const more = part('credentials-more', HTMLElement)
  more.hidden = list.length <= most
  put(more, kept > list.length ? `Show ${list.length} of ${kept}` : `Show all ${list.length}`)
}
