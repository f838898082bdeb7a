import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import { answerTo, writeAnswer } from '../answers/answer.ts'
import { SidecarError } from '../answers/errors.ts'
import { explain } from '../answers/failure.ts'
import type { Config } from '../config/config.ts'
import type { Running } from '../downstream/drain.ts'
import { ignore, type Upload } from '../downstream/upload.ts'
import type { Ending } from '../telemetry/ending.ts'
import type { RequestRecord } from '../telemetry/record.ts'
import type { UpgradedSocket } from '../tunnel/tunnel.ts'
import type { Connection, LaneDispatch } from '../upstream/connection.ts'
import type { Lane } from '../upstream/lane.ts'
import type { Decision } from '../verdict/guard.ts'
import { decodeRaw, endToEnd, valuesOf } from '../wire/headers.ts'
import { ErrorBody } from './error-body.ts'
import { Interim } from './interim.ts'
import { relay } from './relay.ts'
import type { ResponseBody } from './response-body.ts'

export interface ExchangeOptions {
  config: Config
  lane: Lane
  decision: Decision
  record: RequestRecord
  response: ServerResponse
  upload: Upload | undefined
  /** Takes the upstream's socket over once it has answered an upgrade with 101. */
  onUpgrade: ((headers: readonly string[], socket: UpgradedSocket) => void) | undefined
  /** ms of silence until a sign of life is put into a model's stream. */
  heartbeat: number | undefined
  /** What goes upstream; its body is that of the upload. */
  head: LaneDispatch
  /** Called once, when nothing of the exchange is left. */
  onEnd: () => void
}

const unconnected: Connection = { served: 0, broken: false }
const printable = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * One request at the upstream and its answer on the way back. The client's side sees a whole answer or an explained
 * failure, whatever happens here; the two sockets never share their fate. It has undici's raw handler interface: the
 * other one makes an object of headers that nobody reads, a twentieth of a request.
 */
export class Exchange implements Dispatcher.DispatchHandler, Running {
  readonly #options: ExchangeOptions
  #abort: ((reason: Error) => void) | undefined
  /** The one that the lane chose. */
  connection: Connection = unconnected
  /** Lets undici go on after `onData` held it up. */
  #resume = ignore
  #body: ResponseBody | undefined
  #stop: SidecarError | undefined
  #answered = false
  #replayed = false
  readonly #interim: Interim
  #done = false

  constructor (options: ExchangeOptions) {
    this.#options = options
    const { response } = options
    this.#interim = new Interim(response)
    response.on('close', () => { if (!response.writableFinished) this.stop(new SidecarError('upstream_reset', { detail: 'because the client left' })) })
    response.on('error', ignore)
  }

  /** Sends the request; called again for the one replay. */
  send (): void {
    if (this.#done) return
    const { lane, head, upload } = this.#options
    if (upload !== undefined) head.body = upload.open()
    lane.dispatch(head, this)
  }

  /** Ends the upstream's side with our own reason; the client is told it if it is still there. */
  stop (reason = new SidecarError('draining')): void {
    if (this.#done) return
    this.#stop ??= reason
    // Before it is on a connection, the upstream is still being connected, which nothing waits for any longer.
    if (this.#abort === undefined) this.#fail(reason)
    else this.#abort(reason)
  }

  onConnect (abort: (reason: Error) => void): void {
    this.#abort = abort
    if (this.#stop !== undefined) abort(this.#stop)
  }

  /** undici: the first byte of an answer came. */
  onResponseStarted (): void {
    this.#answered = true
    this.#options.lane.answered()
  }

  onHeaders (status: number, raw: readonly Buffer[], resume: () => void, reason: string): boolean {
    const { response, record, upload, decision } = this.#options
    if (status < 200) {
      const flood = this.#interim.pass(status, decodeRaw(raw))
      if (flood !== undefined) this.#abort?.(flood)
      return true
    }
    this.#resume = resume
    record.upstreamMs = performance.now() - record.startedAt
    upload?.settle()
    const headers = endToEnd(decodeRaw(raw))
    const message = printable.test(reason) ? reason : ''
    this.#body = this.#bodyFor(status, message, headers)
    if (this.#body !== undefined) return true
    decision.learn(status, headers)
    this.#body = relay(response, { status, message, headers }, { path: this.#options.head.path, heartbeat: this.#options.heartbeat })
    return true
  }

  onUpgrade (status: number, raw: readonly (Buffer | string)[] | null, socket: Duplex): void {
    const { record, decision, onEnd, onUpgrade } = this.#options
    const headers = decodeRaw(raw as Buffer[])
    record.upstreamMs = performance.now() - record.startedAt
    if (valuesOf(headers, 'upgrade').join().toLowerCase() !== 'websocket') { // RFC 6455 section 4.1: our 101 would say what the upstream's did not
      socket.destroy()
      return this.#fail(new SidecarError('upstream_protocol', { detail: 'it switched to another protocol' }))
    }
    decision.learn(status, headers)
    this.#done = true
    onEnd()
    onUpgrade?.(headers, socket as UpgradedSocket)
  }

  onData (chunk: Buffer): boolean {
    if (this.#body?.data(chunk) !== false) return true
    this.#options.response.once('drain', this.#resume)
    return false
  }

  onComplete (raw: readonly (Buffer | string)[] | null): void {
    if (this.connection.broken) return this.#fail(new SidecarError('upstream_reset', { detail: 'before its answer was whole' }))
    this.connection.served++
    this.#ended((this.#body as ResponseBody).end(endToEnd(decodeRaw(raw as Buffer[]))))
  }

  onError (thrown: Error): void { this.#fail(thrown) }

  #fail (thrown: Error): void {
    const { response, record, decision } = this.#options
    if (this.#done) return
    if (this.#stop === undefined && this.#mayReplay()) {
      this.#replayed = true
      this.#abort = undefined // that of the first try ends nothing any more
      return this.send()
    }
    const error = thrown instanceof SidecarError ? thrown : explain(thrown)
    if (response.destroyed) {
      decision.learn(error.status, []) // nobody waits for what this request might have taught
      return this.#finish('client_gone')
    }
    record.error = thrown
    if (this.#body !== undefined) return this.#ended(this.#body.fail(error))
    decision.learn(error.status, [])
    if (error.code === 'request_timeout') response.shouldKeepAlive = false // the rest of its body may never come
    record.code = error.code
    record.detail = error.detail
    writeAnswer(response, answerTo(error, record.id))
    this.#finish('ours')
  }

  /** RFC 9110 section 9.2.2: only where the upstream can not have begun to answer, so only on a stale, reused socket. */
  #mayReplay (): boolean {
    const { upload } = this.#options
    return !this.#replayed && !this.#answered && this.connection.served > 0 && upload?.replayable !== false
  }

  /** Holds back error answers, except those whose declared length is too large to hold. */
  #bodyFor (status: number, message: string, headers: string[]): ErrorBody | undefined {
    if (status < 400) return undefined
    const { response, record, decision, config: { limits, times } } = this.#options
    if (response.req.method === 'HEAD' || Number(valuesOf(headers, 'content-length')[0] ?? 0) > limits.errorBodyBytes) return undefined
    return new ErrorBody({
      response, status, message, headers, requestId: record.id, limit: limits.errorBodyBytes, patience: times.errorBody,
      learn: body => decision.learn(status, headers, body) && valuesOf(headers, 'retry-after').length === 0 ? ['Retry-After', '0'] : [],
      abort: error => { this.#abort?.(error) }
    })
  }

  #ended (ending: Ending | Promise<Ending>): void {
    if (typeof ending !== 'string') return void ending.then(known => { this.#ended(known) })
    if (ending === 'ours') this.#options.record.code = 'upstream_incomplete'
    this.#finish(ending)
  }

  #finish (ending: Ending): void {
    this.#done = true
    const { record, upload, onEnd } = this.#options
    record.ending ??= ending
    upload?.release()
    onEnd()
  }
}
