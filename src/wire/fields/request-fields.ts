/** Fields about one request and none like it: its names, its body, its conditions and ranges, what it expects, and its place in a trace. */
const single = new RegExp(`^(?:${[
  'content-.*', 'digest', 'want-.*', 'date', 'age', 'range', 'if-.*', 'expect', 'max-forwards', 'forwarded', 'via', 'x-forwarded-.*', 'x-real-ip',
  'sec-websocket-.*', 'traceparent', 'tracestate', 'baggage', 'sentry-trace', 'b3', 'x-b3-.*', 'x-datadog-.*', 'x-cloud-trace-context', 'x-amzn-trace-id',
  '.*idempotency.*', '.*csrf.*', '.*(?:request|session|conversation|thread|turn|message|trace|span|correlation|invocation|prompt|response|window|task|run)[-_]?(?:id|state|metadata|start|time|attempt)s?',
  'x-stainless-retry-count', 'x-stainless-read-timeout', 'x-stainless-timeout', '.*timestamp', '.*nonce'
].join('|')})$`)

/** Whether a field, in lower case, is about the one request that it came with. */
export const isOfOneRequest = (field: string): boolean => single.test(field)
