/**
 * Refusals and failures, equal ones once: those of credentials, of the network, of requests, and of foreign pages apart.
 * @import { Status } from '../status.ts'
 */
import { keep, make, part, put, timeOf } from './dom.js'

/** @typedef {Status['refusals'][number]} Refusal */

const groups = [
  { id: 'credential', title: 'Credentials' },
  { id: 'network', title: 'Network and upstream' },
  { id: 'request', title: 'Requests' },
  { id: 'page', title: 'Web pages of other origins' }
]

/** @param {Refusal} refusal */
const groupOf = ({ about, fromPage }) => fromPage === true ? 'page' : about

/** @param {Refusal} refusal */
const keyOf = ({ firstAt, code, token, path, route, message }) => [firstAt, code, token, route, code === 'no_route' ? path : '', token === undefined ? message : ''].join(' ')

/** @param {Refusal} refusal */
function factsOf ({ credential, clients, method, path, token, requestId }) {
  return [
    ...credential === undefined ? [] : [credential], ...clients.length === 0 ? [] : [`used by ${clients.join(', ')}`],
    ...method !== undefined && path !== undefined ? [`${method} ${path}`] : [], ...token === undefined ? [] : [`token ${token}`], `request ${requestId}`
  ].join(' · ')
}

/** @param {Refusal} refusal */
function whenOf ({ count, firstAt, at }) {
  return count === 1 ? timeOf(at) : `${count} times, ${timeOf(firstAt)} to ${timeOf(at)}`
}

/** @param {Refusal} refusal */
const makeRefusal = ({ code, status }) => make('li', {}, [
  make('p', { class: 'what' }, [make('code', {}, [code]), ` ${status} `, make('time')]), make('p'), make('p', { class: 'hint' })
])

/**
 * @param {HTMLElement} item
 * @param {Refusal} refusal
 */
function update (item, refusal) {
  const [what, message, facts] = [...item.children]
  const time = what?.lastElementChild
  time?.setAttribute('datetime', refusal.at)
  if (time) put(time, whenOf(refusal))
  put(message, refusal.message)
  put(facts, factsOf(refusal))
}

/**
 * The last refusals by what they are about.
 * @param {Status} status
 * @param {number} most
 */
export function showRefusals ({ refusals }, most) {
  part('refusals-none', HTMLElement).hidden = refusals.length > 0
  const shown = refusals.slice(0, most)
  const there = groups.map(group => ({ ...group, list: shown.filter(refusal => groupOf(refusal) === group.id) })).filter(({ list }) => list.length > 0)
  keep(part('refusal-groups', HTMLElement), there, {
    key: ({ id }) => id,
    create: ({ title }) => make('div', {}, [make('h3', {}, [title]), make('ol')]),
    update: (element, { list }) => { keep(/** @type {HTMLElement} */ (element.lastElementChild), list, { key: keyOf, create: makeRefusal, update }) }
  })
  const more = part('refusals-more', HTMLElement)
  more.hidden = refusals.length <= most
  put(more, `Show all ${refusals.length}`)
}
