import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import { answerTo, writeAnswer } from '../answers/answer.ts'
import { SidecarError } from '../answers/errors.ts'
import { explain } from '../answers/failure.ts'
import type { Config } from '../config/config.ts'
import type { Running } from '../downstream/drain.ts'
import { Intake } from '../downstream/intake.ts'
import { ignore, type Upload } from '../downstream/upload.ts'
import type { Ending } from '../telemetry/ending.ts'
import type { RequestRecord } from '../telemetry/record.ts'
import type { UpgradedSocket } from '../tunnel/tunnel.ts'
import type { Connection, LaneDispatch } from '../upstream/connection.ts'
import type { Lane } from '../upstream/lane.ts'
import type { Decision } from '../verdict/guard.ts'
import { onPrivateNetwork } from '../wire/cors.ts'
import { decodeRaw, endToEnd, valuesOf } from '../wire/headers.ts'
import { answerBody } from './answer-body.ts'
import type { Room } from './error-body.ts'
import { Interim } from './interim.ts'
import { Progress } from './replay.ts'
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
  /** For error answers that are large, of all exchanges. */
  room: Room
  /** What goes upstream; its body is that of the upload. */
  head: LaneDispatch & { headers: readonly string[] }
  /** Makes references to the upstream in an answer's raw header list lead here. */
  relocate: (headers: string[]) => void
  /** Called once, when nothing of the exchange is left, or only its sockets. */
  onEnd: (upgraded: boolean) => void
}

const unconnected: Connection = { served: 0, broken: false, cancel: ignore }
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
  readonly #progress: Progress
  readonly #intake: Intake
  readonly #interim: Interim
  #done = false

  constructor (options: ExchangeOptions) {
    this.#options = options
    const { response, head: { method, headers }, config: { times } } = options
    this.#progress = new Progress(method, headers)
    this.#intake = new Intake(response, times.idleDownload)
    this.#interim = new Interim(response)
    response.on('close', () => { if (!response.writableFinished) this.stop(new SidecarError('upstream_reset', { detail: 'because the client left' })) })
    response.on('error', ignore)
  }

  /** Whether anybody waits for the answer. */
  get wanted (): boolean { return !this.#done }

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
    if (this.#abort !== undefined) return this.#abort(reason)
    this.#fail(reason) // it is on no connection yet
    this.connection.cancel()
  }

  onConnect (abort: (reason: Error) => void): void {
    this.#abort = abort
    this.#progress.begin()
  }

  /** undici: all of the request is sent. */
  onRequestSent (): void { this.#progress.sent = true }

  /** undici: the first byte of an answer came. */
  onResponseStarted (): void { this.#progress.answered() }

  onHeaders (status: number, raw: readonly Buffer[], resume: () => void, reason: string): boolean {
    const { response, record, upload, relocate } = this.#options
    if (status < 200) {
      const flood = this.#interim.pass(status, decodeRaw(raw))
      if (flood !== undefined) this.#abort?.(flood)
      return true
    }
    this.#resume = resume
    record.upstreamMs = performance.now() - record.startedAt
    upload?.settle()
    const headers = record.upstreamFields = onPrivateNetwork(response.req, status, endToEnd(decodeRaw(raw)))
    relocate(headers)
    const { config, decision, heartbeat, room, head: { path } } = this.#options
    this.#body = answerBody({ status, message: printable.test(reason) ? reason : '', headers }, {
      response, record, decision, config, path, heartbeat, room, abort: error => { this.#abort?.(error) }
    })
    return true
  }

  onUpgrade (status: number, raw: readonly (Buffer | string)[] | null, socket: Duplex): void {
    const { record, decision, onEnd, onUpgrade } = this.#options
    const headers = decodeRaw(raw as Buffer[])
    record.upstreamMs = performance.now() - record.startedAt
    record.upstreamFields = headers
    if (valuesOf(headers, 'upgrade').join().toLowerCase() !== 'websocket') { // RFC 6455 section 4.1: our 101 would say what the upstream's did not
      socket.destroy()
      return this.#fail(new SidecarError('upstream_protocol', { detail: 'it switched to another protocol' }))
    }
    decision.learn(status, headers)
    this.#done = true
    onEnd(true)
    onUpgrade?.(headers, socket as UpgradedSocket)
  }

  onData (chunk: Buffer): boolean {
    if (this.#body?.data(chunk) !== false) return true
    this.#intake.wait(this.#resume)
    return false
  }

  onComplete (raw: readonly (Buffer | string)[] | null): void {
    if (this.connection.broken) return this.#fail(new SidecarError('upstream_reset', { detail: 'before its answer was whole' }))
    this.connection.served++
    this.#ended((this.#body as ResponseBody).end(endToEnd(decodeRaw(raw as Buffer[]))))
  }

  onError (thrown: Error): void { this.#fail(thrown) }

  #fail (thrown: Error): void {
    const { response, record, decision, upload } = this.#options
    if (this.#done) return
    const error = thrown instanceof SidecarError ? thrown : explain(thrown, this.#progress.sent)
    // Only a whole body on a kept socket: a fresh one is not stale.
    if (this.#stop === undefined && this.connection.served > 0 && upload?.replayable !== false && this.#progress.replay(error)) {
      this.#abort = undefined // that of the first try ends nothing any more
      this.#options.head.fresh = true // where one kept socket was stale the others may be
      return this.send()
    }
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
    writeAnswer(response, answerTo(error, record.id, response.req.headers.origin))
    this.#finish('ours')
  }

  #ended (ending: Ending | Promise<Ending>): void {
    if (typeof ending !== 'string') return void ending.then(known => { this.#ended(known) })
    const { record, response } = this.#options
    if (ending === 'ours') Object.assign(record, { code: 'upstream_incomplete', detail: String(response.statusCode) } satisfies Partial<typeof record>)
    this.#finish(ending)
  }

  #finish (ending: Ending): void {
    this.#done = true
    const { record, upload, onEnd } = this.#options
    record.ending ??= ending
    this.#intake.end()
    upload?.release()
    onEnd(false)
  }
}
