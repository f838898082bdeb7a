/**
 * The last hour as a drawing, a sentence and a table: requests by what came of them, the time that we and the upstream
 * took, and what happened meanwhile.
 * @import { Status } from '../status.ts'
 */
import { draw, fillRow, keep, make, makeRow, part, put, timeOf } from './dom.js'

/** @typedef {Status['hour']['minutes'][number]} Minute */

/** From the ground up, each with a fill of its own besides its colour. */
const kinds = /** @type {const} */ (['good', 'other', 'limited', 'refused', 'failed'])
const words = { good: 'good', other: 'other', limited: 'at a limit', refused: 'refused', failed: 'failed' }

const [WIDTH, BARS, GAP, LINES, STEP] = [720, 120, 24, 90, 12]
const HEIGHT = BARS + GAP + LINES

/** Hundredths of a millisecond to a hundred seconds, by powers of ten. */
const [LEAST, DECADES] = [0.01, 7]

/** @param {number} ms */
const heightOf = ms => HEIGHT - Math.min(1, Math.max(0, Math.log10(ms / LEAST) / DECADES)) * LINES

/** @param {number | null} ms */
const duration = ms => ms === null ? '' : ms < 10 ? `${ms.toFixed(2)} ms` : ms < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`

/** @param {Minute} minute */
const sumOf = minute => kinds.reduce((sum, kind) => sum + minute[kind], 0)

/** Fills that are told apart without colour. */
const fills = () => draw('defs', {}, [
  draw('pattern', { id: 'lines', width: 4, height: 4, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' }, [draw('rect', { class: 'refused', width: 2, height: 4 })]),
  draw('pattern', { id: 'dots', width: 4, height: 4, patternUnits: 'userSpaceOnUse' }, [draw('circle', { class: 'limited', cx: 2, cy: 2, r: 1.2 })])
])

/**
 * One minute's bar.
 * @param {Minute} minute
 * @param {number} place
 * @param {number} scale
 */
function bar (minute, place, scale) {
  let top = BARS
  return kinds.filter(kind => minute[kind] > 0).map(kind => {
    const height = Math.max(2, minute[kind] * scale)
    top -= height
    return draw('rect', { class: `bar ${kind}`, x: place * STEP + 1, y: Math.max(0, top), width: STEP - 2, height })
  })
}

/**
 * A line through the minutes that have a value.
 * @param {readonly Minute[]} minutes
 * @param {'addedMs' | 'upstreamMs'} name
 */
function line (minutes, name) {
  const points = minutes.flatMap((minute, i) => minute[name] === null ? [] : [`${i * STEP + STEP / 2},${heightOf(minute[name]).toFixed(1)}`])
  const one = points[0]?.split(',') ?? []
  return points.length === 1
    ? draw('circle', { class: name, cx: String(one[0]), cy: String(one[1]), r: 3 })
    : draw('polyline', { class: name, points: points.join(' '), fill: 'none' })
}

/** @param {Status['hour']} hour */
function drawing ({ minutes, events }) {
  const scale = BARS / Math.max(1, ...minutes.map(sumOf))
  const begin = Date.parse(minutes[0]?.at ?? '')
  const marks = events.flatMap(({ at }, i) => {
    const x = Math.min(WIDTH - 6, Math.max(6, (Date.parse(at) - begin) / 60_000 * STEP))
    return [draw('line', { class: 'mark', x1: x, x2: x, y1: 0, y2: HEIGHT }), draw('text', { class: 'mark', x, y: BARS + GAP - 8, 'text-anchor': 'middle' }, [String(i + 1)])]
  })
  return draw('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT + 4}`, role: 'img', 'aria-labelledby': 'hour-said', focusable: 'false' }, [
    fills(), ...minutes.flatMap((minute, i) => bar(minute, i, scale)),
    draw('line', { class: 'ground', x1: 0, x2: WIDTH, y1: BARS, y2: BARS }), draw('line', { class: 'ground', x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }),
    line(minutes, 'addedMs'), line(minutes, 'upstreamMs'), ...marks
  ])
}

/** @param {Status['hour']} hour */
function sentence ({ minutes }) {
  const counts = kinds.map(kind => /** @type {const} */ ([words[kind], minutes.reduce((sum, minute) => sum + minute[kind], 0)])).filter(([, count]) => count > 0)
  if (counts.length === 0) return 'No requests in the last hour.'
  const last = minutes.findLast(({ addedMs }) => addedMs !== null)
  const added = last === undefined ? '' : ` Time added: ${duration(last.addedMs)} (full line)${last.upstreamMs === null ? '' : `, time of the upstream: ${duration(last.upstreamMs)} (dashed)`}.`
  return `Requests: ${counts.map(([word, count]) => `${count} ${word}`).join(', ')}.${added}`
}

/** What was drawn last. */
const drawn = { hour: '' }

/**
 * Shows it, anew where something has changed.
 * @param {Status} status
 */
export function showHour ({ hour }) {
  const text = JSON.stringify(hour)
  if (text === drawn.hour) return
  drawn.hour = text
  const key = make('p', { class: 'key' }, kinds.map(kind => make('span', { class: kind }, [draw('svg', { width: 14, height: 14, 'aria-hidden': 'true' }, [draw('rect', { class: `bar ${kind}`, width: 14, height: 14 })]), ` ${words[kind]} `])))
  part('hour', HTMLElement).replaceChildren(drawing(hour), key)
  put(part('hour-said', HTMLElement), sentence(hour))
  keep(part('hour-events', HTMLElement), hour.events.map((event, i) => ({ ...event, i })), {
    key: ({ at, words, i }) => `${i} ${at} ${words}`,
    create: ({ at, words, i }) => make('li', {}, [`${i + 1}: ${timeOf(at)} ${words}`])
  })
  keep(part('hour-minutes', HTMLElement), hour.minutes.filter(minute => sumOf(minute) > 0).reverse(), {
    key: ({ at }) => at,
    create: () => makeRow(['Minute', 'Good', 'Refused', 'At a limit', 'Failed', 'Other', 'Added', 'Upstream']),
    update: (row, { at, good, refused, limited, failed, other, addedMs, upstreamMs }) => {
      fillRow(row, [timeOf(at), ...[good, refused, limited, failed, other].map(String), duration(addedMs), duration(upstreamMs)])
    }
  })
}
