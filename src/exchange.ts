import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import { ErrorBody } from './error-body.ts'
import { pathOf } from './conformance.ts'
import { answerTo, writeAnswer } from './error-handler.ts'
import { SidecarError } from './errors.ts'
import { explain } from './failure.ts'
import type { Decision } from './guard.ts'
import { decodeRaw, endToEnd, valuesOf } from './headers.ts'
import type { Config } from './config.ts'
import type { RequestRecord } from './record.ts'
import { EventStreamBody, NoBody, PlainBody, type Ending, type ResponseBody } from './response-body.ts'
import { protocolOf } from './sse.ts'
import type { UpgradedSocket } from './tunnel.ts'
import type { Upload } from './upload.ts'
import type { Connection, Lane, LaneDispatch } from './upstream.ts'

export interface ExchangeOptions {
  config: Config
  lane: Lane
  decision: Decision
  record: RequestRecord
  requestId: string
  response: ServerResponse
  upload: Upload | undefined
  /** Takes the upstream's socket over once it has answered an upgrade with 101. */
  onUpgrade?: (headers: readonly string[], socket: UpgradedSocket) => void
  /** What goes upstream, without the body. */
  head: Omit<LaneDispatch, 'body' | 'onConnection'>
  /** Called once, when nothing of the exchange is left. */
  onEnd: () => void
}

/** Interim answers to one request; more are no information but a flood, whose bytes nothing else bounds. */
const INTERIM = 100

const printable = /^[\t\x20-\x7e\x80-\xff]*$/
const eventStream = /^text\/event-stream\s*(?:;|$)/i

/**
 * One request at the upstream and its answer on the way back. The client's side sees a whole answer or an explained
 * failure, whatever happens here; the two sockets never share their fate.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions
  #controller: Dispatcher.DispatchController | undefined
  #connection: Connection = { served: 0, broken: false }
  #body: ResponseBody | undefined
  #stop: SidecarError | undefined
  #answered = false
  #replayed = false
  #interim = 0
  #done = false
  readonly #closed = (): void => { if (!this.#options.response.writableFinished) this.stop(new SidecarError('upstream_reset', { detail: 'because the client left' })) }

  constructor (options: ExchangeOptions) {
    this.#options = options
    const { response } = options
    response.on('close', this.#closed)
    response.on('error', () => {}) // its `close` says all that matters
  }

  /** Sends the request; called again for the one replay. */
  send (): void {
    const { lane, head, upload } = this.#options
    lane.dispatch({ ...head, body: upload?.open() ?? null, onConnection: connection => { this.#connection = connection } }, this)
  }

  /** Ends the upstream's side with our own reason; the client is told it if it is still there. */
  stop (reason: SidecarError): void {
    if (this.#done) return
    this.#stop ??= reason
    // Without a controller the upstream is still being connected, which nothing waits for any longer.
    if (this.#controller === undefined) this.onResponseError(null, reason)
    else this.#controller.abort(reason)
  }

  onRequestStart (controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#stop !== undefined) controller.abort(this.#stop)
  }

  /** undici: the first byte of an answer came. */
  onResponseStarted (): void {
    this.#answered = true
    this.#options.lane.answered()
  }

  onResponseStart (controller: Dispatcher.DispatchController, status: number, parsed: Record<string, string | string[] | undefined>, reason = ''): void {
    const { response, record, upload, decision } = this.#options
    if (status < 200) return this.#inform(controller, status, parsed['link'])
    record.upstreamMs = performance.now() - record.startedAt
    upload?.settle()
    const headers = endToEnd(decodeRaw(controller.rawHeaders as Buffer[]))
    const message = printable.test(reason) ? reason : ''
    this.#body = this.#bodyFor(controller, status, message, headers)
    if (this.#body !== undefined) return
    decision.learn(status, headers)
    const head = { status, message, headers }
    this.#body = response.req.method === 'HEAD' || status === 204 || status === 304
      ? new NoBody(response, head)
      : explainable(headers) ? new EventStreamBody(response, head, protocolOf(pathOf(this.#options.head.path))) : new PlainBody(response, head)
  }

  onRequestUpgrade (controller: Dispatcher.DispatchController, status: number, _parsed: unknown, socket: Duplex): void {
    const { record, response, decision, onEnd, onUpgrade } = this.#options
    const headers = decodeRaw(controller.rawHeaders as Buffer[])
    record.upstreamMs = performance.now() - record.startedAt
    if (valuesOf(headers, 'upgrade').join().toLowerCase() !== 'websocket') { // RFC 6455 section 4.1: our 101 would say what the upstream's did not
      socket.destroy()
      return this.onResponseError(controller, new SidecarError('upstream_protocol', { detail: 'it switched to another protocol' }))
    }
    decision.learn(status, headers)
    this.#done = true
    response.off('close', this.#closed) // it lasts as long as the tunnel, which does not need all this
    onEnd()
    onUpgrade?.(headers, socket as UpgradedSocket)
  }

  onResponseData (controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#body?.data(chunk) !== false) return
    controller.pause()
    this.#options.response.once('drain', () => { controller.resume() })
  }

  onResponseEnd (controller: Dispatcher.DispatchController): void {
    if (this.#connection.broken) return this.onResponseError(controller, new SidecarError('upstream_reset', { detail: 'before its answer was whole' }))
    this.#connection.served++
    this.#finish((this.#body as ResponseBody).end(endToEnd(decodeRaw(controller.rawTrailers as Buffer[]))))
  }

  onResponseError (_controller: Dispatcher.DispatchController | null, thrown: Error): void {
    const { response, record, requestId, decision } = this.#options
    if (this.#done) return
    if (this.#stop === undefined && this.#mayReplay()) {
      this.#replayed = true
      return this.send()
    }
    const error = thrown instanceof SidecarError ? thrown : explain(thrown)
    record.error = thrown
    if (response.destroyed) {
      decision.learn(error.status, []) // nobody waits for what this request might have taught
      return this.#finish('client_gone')
    }
    if (this.#body !== undefined) {
      const ending = this.#body.fail(error)
      if (ending === 'ours') record.code = 'upstream_incomplete'
      return this.#finish(ending)
    }
    decision.learn(error.status, [])
    if (error.code === 'request_timeout') response.shouldKeepAlive = false // the rest of its body may never come
    record.code = error.code
    record.detail = error.detail
    writeAnswer(response, answerTo(error, requestId))
    this.#finish('ours')
  }

  /** RFC 9110 section 9.2.2: only where the upstream can not have begun to answer, so only on a stale, reused socket. */
  #mayReplay (): boolean {
    const { upload } = this.#options
    return !this.#replayed && !this.#answered && this.#connection.served > 0 && upload?.replayable !== false
  }

  /** Holds back error answers, except those whose declared length is too large to hold. */
  #bodyFor (controller: Dispatcher.DispatchController, status: number, message: string, headers: string[]): ErrorBody | undefined {
    const { response, requestId, decision, config: { limits, times } } = this.#options
    const [declared = '0'] = valuesOf(headers, 'content-length')
    if (status < 400 || response.req.method === 'HEAD' || Number(declared) > limits.errorBodyBytes) return undefined
    return new ErrorBody({
      response, status, message, headers, requestId, limit: limits.errorBodyBytes, patience: times.errorBody,
      learn: body => decision.learn(status, headers, body) && valuesOf(headers, 'retry-after').length === 0 ? ['Retry-After', '0'] : [],
      abort: error => { controller.abort(error) }
    })
  }

  /** Interim answers (RFC 9110 section 15.2): Node can send these two. */
  #inform (controller: Dispatcher.DispatchController, status: number, link: string | string[] | undefined): void {
    const { response } = this.#options
    if (++this.#interim > INTERIM) controller.abort(new SidecarError('upstream_protocol', { detail: 'its interim answers do not end' }))
    else if (status === 103 && link !== undefined) response.writeEarlyHints({ link })
    else if (status === 102) response.writeProcessing()
  }

  #finish (ending: Ending): void {
    this.#done = true
    const { record, upload, onEnd } = this.#options
    record.ending ??= ending
    upload?.release()
    onEnd()
  }
}

/** An event of ours can follow in this stream: it is not compressed and has no declared length. */
const explainable = (headers: readonly string[]): boolean =>
  eventStream.test(valuesOf(headers, 'content-type')[0] ?? '') &&
  valuesOf(headers, 'content-length').length === 0 &&
  /^(?:identity)?$/i.test(valuesOf(headers, 'content-encoding').join())
