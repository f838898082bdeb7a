/** What a field says in the way of a credential. */
export interface Part {
  /** All that is judged: another spelling of the same token is another credential, since upstreams may tell them apart. */
  readonly value: string
  /** Undefined where the scheme is none whose tokens are known. */
  readonly token: string | undefined
  /** Why it can not be one. */
  readonly fault: string | undefined
}

/** Where browsers put a key, who can set no other field of a WebSocket handshake. */
export const SUBPROTOCOL = 'sec-websocket-protocol'

/** The subprotocol that is no protocol but OpenAI's key. */
const keyProtocol = /^openai-insecure-api-key\.(.*)$/

const bearer = /^bearer(?:[ \t]+|$)/i // RFC 9110 section 11.1: a scheme has no case
const placeholder = /^(?:undefined|null)$/ // what a template makes of a variable nobody set

/** Why a field's value can carry no token, or undefined. */
function faultOf (token: string): string | undefined {
  if (token === '') return 'it is empty'
  if (placeholder.test(token)) return `it is the word "${token}", so a variable was not set`
  return /[^\x20-\x7e]/.test(token) ? 'it holds a control or non-ASCII character' : undefined
}

/** The same for what stands behind Bearer. What else it may look like is the upstream's business: not all tokens are RFC 6750's. */
function bearerFault (token: string): string | undefined {
  if (bearer.test(token)) return 'the word Bearer stands twice'
  return faultOf(token) ?? (token.includes(' ') ? 'it holds a space' : undefined)
}

function readAuthorization (value: string): Part {
  const [scheme] = bearer.exec(value) ?? []
  if (scheme !== undefined) {
    const token = value.slice(scheme.length)
    return { value, token, fault: bearerFault(token) }
  }
  return value === '' || placeholder.test(value) ? { value, token: value, fault: faultOf(value) } : { value, token: undefined, fault: undefined }
}

function readSubprotocols (values: readonly string[]): Part | undefined {
  const keys = values.flatMap(value => value.split(',')).flatMap(name => keyProtocol.exec(name.trim())?.[1] ?? [])
  const token = keys.join()
  return keys.length === 0 ? undefined : { value: token, token, fault: faultOf(token) }
}

/**
 * What the values of a field present; undefined where there is nothing of that kind in them.
 * @param field lower-case; one besides the subprotocols is there once
 */
export function readField (field: string, values: readonly string[]): Part | undefined {
  if (field === SUBPROTOCOL) return readSubprotocols(values)
  const [value] = values
  if (value === undefined) return undefined
  return field === 'authorization' ? readAuthorization(value) : { value, token: value, fault: faultOf(value) }
}
