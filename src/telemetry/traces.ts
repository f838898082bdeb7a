import type * as Api from '@opentelemetry/api'
import type * as Core from '@opentelemetry/core'
import type * as Otlp from '@opentelemetry/exporter-trace-otlp-http'
import type * as Resources from '@opentelemetry/resources'
import type * as Sdk from '@opentelemetry/sdk-trace'
import type { IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import type { Logger } from 'pino'
import { pairsOf } from '../wire/headers.ts'
import { shownPath } from '../wire/secrets.ts'
import type { RequestRecord, RequestTrace } from './record.ts'

/** ms until traces that nobody takes are given up. */
const PATIENCE = 3_000

/** What is known of a request at its end that OpenTelemetry has no name for. */
const own = ({ code, lane, source, ending }: RequestRecord): Record<string, string> =>
  Object.fromEntries(Object.entries({ code, lane, source, ending }).flatMap(([name, value]) => value === undefined ? [] : [[`codex_sidecar.${name}`, value]]))

/**
 * Sends one span for each request to an OpenTelemetry collector: method, path without its query, route, status and what
 * the log line says besides; of the credential nothing. The packages are loaded here and nowhere else.
 * @param url of the collector's OTLP/HTTP receiver
 */
export function createTraces (url: string, log: Logger) {
  const load = createRequire(import.meta.url)
  const { ROOT_CONTEXT, SpanKind, SpanStatusCode, defaultTextMapGetter, defaultTextMapSetter, trace } = load('@opentelemetry/api') as typeof Api
  const { W3CTraceContextPropagator } = load('@opentelemetry/core') as typeof Core
  const { OTLPTraceExporter } = load('@opentelemetry/exporter-trace-otlp-http') as typeof Otlp
  const { resourceFromAttributes } = load('@opentelemetry/resources') as typeof Resources
  const { BatchSpanProcessor, TracerProvider } = load('@opentelemetry/sdk-trace') as typeof Sdk

  const otlp = new OTLPTraceExporter({ url, timeoutMillis: PATIENCE })
  const exporter: Sdk.SpanExporter = {
    export: (spans, done) => {
      otlp.export(spans, result => {
        if (result.error !== undefined) log.warn({ err: result.error }, `${spans.length} traces could not be sent to ${url}`)
        done(result)
      })
    },
    shutdown: () => otlp.shutdown()
  }
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'codex-sidecar' }),
    spanProcessors: [new BatchSpanProcessor({ exporter })]
  })
  const tracer = provider.getTracer('codex-sidecar')
  const propagator = new W3CTraceContextPropagator()
  const propagated = propagator.fields()

  return {
    /** Begins the span of a request, as a child of the client's where it names one. */
    begin ({ method = '', url: target = '', headers, httpVersion }: IncomingMessage): RequestTrace {
      const parent = propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter)
      const span = tracer.startSpan(method, {
        kind: SpanKind.SERVER,
        attributes: { 'http.request.method': method, 'url.path': shownPath(target), 'url.scheme': 'http', 'network.protocol.version': httpVersion }
      }, parent)
      return {
        outgoing (raw) {
          const carrier: Record<string, string> = {}
          propagator.inject(trace.setSpan(parent, span), carrier, defaultTextMapSetter)
          return [...pairsOf(raw).filter(([name]) => !propagated.includes(name.toLowerCase())), ...Object.entries(carrier)].flat()
        },
        end (record) {
          const status = record.status as number
          if (record.route !== undefined) span.updateName(`${method} ${record.route}`).setAttribute('http.route', record.route)
          span.setAttributes({ 'http.response.status_code': status, ...own(record) })
          if (status >= 500 || record.ending === 'cut' || record.ending === 'explained') {
            span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', record.code ?? String(status))
          }
          span.end()
        }
      }
    },
    /** Sends what is left; where that fails the exporter has said so. */
    close: () => provider.shutdown().catch(() => {})
  }
}

export type Traces = ReturnType<typeof createTraces>
