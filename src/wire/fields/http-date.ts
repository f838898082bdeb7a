import { valuesOf } from '../headers.ts'

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'].join('|')
const time = '(?<time>\\d\\d:\\d\\d:\\d\\d)'

/** The three forms of RFC 9110 section 5.6.7; all of them are GMT, whether they say so or not. */
const forms = [
  new RegExp(`^(?<weekday>\\w{3}), (?<day>\\d\\d) (?<month>${months}) (?<year>\\d{4}) ${time} GMT$`), // IMF-fixdate
  new RegExp(`^(?<weekday>\\w{3})\\w*day, (?<day>\\d\\d)-(?<month>${months})-(?<year>\\d\\d) ${time} GMT$`), // RFC 850
  new RegExp(`^(?<weekday>\\w{3}) (?<month>${months}) (?<day>[ \\d]\\d) ${time} (?<year>\\d{4})$`) // asctime
]

/** Before any upstream of ours was there. */
const EARLIEST = Date.UTC(2020, 0)

/** ms since 1970; undefined for what is no date of HTTP's, or one that no server of today can mean. */
function parse (field: string): number | undefined {
  for (const form of forms) {
    const { weekday, day = '', month, year = '', time } = form.exec(field)?.groups ?? {}
    if (weekday === undefined) continue
    const imf = `${weekday}, ${day.replace(' ', '0')} ${month} ${year.length === 2 ? '20' : ''}${year} ${time} GMT`
    const date = Date.parse(imf)
    // A date that is none, or has another weekday, is not the same again.
    return date >= EARLIEST && new Date(date).toUTCString() === imf ? date : undefined
  }
  return undefined
}

/**
 * When an answer was there, as its sender tells it, ms since 1970: its Date, and the time that it has lain in caches since
 * (RFC 9110 section 6.6.1, RFC 9111 section 5.1); undefined where it does not say so for certain.
 * @param headers raw list
 */
export function timeOf (headers: readonly string[]): number | undefined {
  const [field, ...others] = valuesOf(headers, 'date')
  const [age = '0', ...ages] = valuesOf(headers, 'age')
  if (field === undefined || others.length > 0 || ages.length > 0 || !/^\d{1,9}$/.test(age)) return undefined
  const date = parse(field)
  return date === undefined ? undefined : date + Number(age) * 1_000
}
