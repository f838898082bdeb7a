/** By these words OpenClaw knows that a login is wanted, and offers one; its own text for a 401 that benches nothing names no cause. */
const LOGIN = '(for OpenClaw: OAuth token refresh failed for openai: sign in again)'

/** A failed answer that says why a login was refused, and that one is wanted. Any other one as it is. */
function explainedMessage (message) {
  const { stopReason, errorMessage = '', content = [] } = message ?? {}
  if (stopReason !== 'error' || !/^401\b/.test(errorMessage) || errorMessage.endsWith(LOGIN)) return message
  const cause = errorMessage.replace(/^401:? */, '').replace(/; Retry-After: \S+ seconds$/, '')
  // What the upstream says in JSON is for no person to read.
  return { ...message, content: content.length > 0 || cause.startsWith('{') ? content : [{ type: 'text', text: cause }], errorMessage: `${errorMessage} ${LOGIN}` }
}

/** The same stream of a model's events, whose failure is explained: OpenClaw shows a person the text of an answer, and of an error only words of its own. */
export function explained (stream) {
  if (typeof stream?.result !== 'function') return stream
  const result = stream.result.bind(stream)
  const iterate = stream[Symbol.asyncIterator].bind(stream)
  stream.result = async () => explainedMessage(await result())
  stream[Symbol.asyncIterator] = async function * () {
    for await (const event of iterate()) yield event.type === 'error' ? { ...event, error: explainedMessage(event.error) } : event
  }
  return stream
}
