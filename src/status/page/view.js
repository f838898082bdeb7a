/**
 * What the sections of the status page show.
 * @import { Status } from '../status.ts'
 */
import { fillRow, keep, length, make, makeRow, part, put } from './dom.js'

/** @param {{ inFlight: number, limit: number }} lane */
const places = ({ inFlight, limit }) => `${inFlight} / ${limit}`

/** @param {number} count of credentials that somebody has to do something about */
const needy = count => count === 0 ? '' : count === 1 ? ' One credential needs you.' : ` ${count} credentials need you.`

/**
 * Whether it works, in one line, and the facts beneath it.
 * @param {Status} status
 */
export function showState ({ version, state, since, now, listening, routes, credentials: { list } }) {
  const down = routes.filter(({ circuit }) => circuit.state === 'open')
  const line = part('state', HTMLElement)
  const [mood, text] = state === 'draining'
    ? ['bad', 'Shutting down: running requests may end, new ones are turned away.']
    : down.length > 0
      ? ['bad', `Working, but the upstream of ${down.map(({ path }) => path).join(', ')} can not be reached.`]
      : ['good', `Working.${needy(list.filter(({ todo }) => todo !== null).length)}`]
  line.className = mood
  put(line, text)
  put(part('version', HTMLElement), version)
  const seconds = Math.round((Date.parse(now) - Date.parse(since)) / 1000)
  put(part('facts', HTMLElement), `${listening === null ? 'Running' : `Listening on ${listening}`} since ${new Date(since).toLocaleString()} (${length(seconds)}).`)
}

/** @param {Status['routes'][number]} route */
function upstreamState ({ circuit }) {
  if (circuit.state === 'closed') return 'fine (circuit closed)'
  return `circuit open: ${circuit.message} ${circuit.retryInSeconds > 0 ? `Tried again in ${circuit.retryInSeconds} s.` : 'The next request tries again.'}`
}

/**
 * What is pointed here and how busy it is.
 * @param {Status} status
 */
export function showRoutes ({ routes, tunnels }) {
  keep(part('routes', HTMLElement), routes, {
    key: ({ path }) => path,
    create: () => makeRow(['Path here', 'Goes to', 'Upstream', 'Requests so far', 'In flight']),
    update: (row, route) => {
      const { path, upstream, requests, lanes: { verified, unverified, probe } } = route
      row.setAttribute('data-state', route.circuit.state)
      fillRow(row, [
        path, upstream, upstreamState(route), String(requests),
        `verified ${places(verified)}\nunverified ${places(unverified)}\n${route.probe === 'off' ? 'asking: off' : `asking ${places(probe)}`}`
      ])
    }
  })
  put(part('tunnels', HTMLElement), `WebSockets open: ${tunnels.open} / ${tunnels.limit}`)
}

/** @param {Status['verdicts']['list'][number]} verdict */
function due ({ state, dueInSeconds, holdsForSeconds }) {
  if (dueInSeconds > 0) return `in ${length(dueInSeconds)}`
  return state === 'suspect' ? `by the next request; forgotten in ${length(holdsForSeconds)}` : 'by the next request'
}

/**
 * The verdicts used last, those held against a token with a button.
 * @param {Status} status
 * @param {{ most: number, find: string }} wanted
 */
export function showVerdicts ({ verdicts: { kept, list } }, { most, find }) {
  const shown = list.slice(0, most)
  const labels = ['Token', 'Route', 'State', 'Why', 'Age', 'Asked again', 'Uses', 'Release']
  keep(part('verdicts', HTMLElement), shown, {
    key: ({ token, route, carrier, state }) => [token, route, carrier, state].join(' '),
    create: ({ token, state }) => {
      const row = makeRow(labels)
      row.setAttribute('data-state', state)
      if (state !== 'active') row.lastElementChild?.append(make('button', { type: 'button', 'data-release': token, 'aria-label': `Release token ${token}` }, ['Release']))
      return row
    },
    update: (row, verdict) => {
      const { token, route, state, reason, detail, source, ageSeconds, uses, usedSecondsAgo } = verdict
      const why = state === 'active' ? `accepted (source: ${source})` : `${reason ? `${reason}: ` : ''}${detail} (source: ${source})`
      fillRow(row, [token, route, state, why, length(ageSeconds), due(verdict), `${uses}${uses > 0 ? `, the last ${length(usedSecondsAgo)} ago` : ''}`])
    }
  })
  part('verdicts-table', HTMLElement).hidden = shown.length === 0
  part('verdicts-more', HTMLElement).hidden = list.length <= most
  const none = find === '' ? 'None so far: the first request with a token makes one.' : `None of ${kept} fits.`
  put(part('verdicts-count', HTMLElement), shown.length === 0 ? none : `${list.length > most ? `The ${most} used last` : `All ${shown.length}`}${find === '' ? '' : ' that fit'}, of ${kept} kept.`)
}

/**
 * Lines for each client, once: they do not change.
 * @param {Status} status
 */
export function showClients ({ clients }) {
  keep(part('clients', HTMLElement), clients, {
    key: ({ client }) => client,
    create: ({ client, recipes }) => make('details', {}, [
      make('summary', {}, [client]),
      ...recipes.flatMap(({ heading, lines }) => lines.length === 0
        ? [make('p', {}, [heading])]
        : [make('p', {}, [heading]), make('div', { class: 'copy' }, [
            make('pre', { tabindex: '0' }, [make('code', {}, [lines.join('\n')])]),
            make('button', { type: 'button', 'data-copy': '', 'aria-label': `Copy: ${client}, ${heading}` }, ['Copy'])
          ])])
    ])
  })
}
