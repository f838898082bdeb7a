import type { SidecarError } from '../answers/errors.ts'
import type { Ending } from '../telemetry/ending.ts'

/** Head of an answer, its fields end-to-end and as the upstream wrote them. */
export interface Head { readonly status: number, readonly message: string, readonly headers: string[] }

/** The body of an upstream answer on its way to the client. */
export interface ResponseBody {
  /** False when the client can not take more for now. */
  data: (chunk: Buffer) => boolean
  /** The upstream's framing says that this was all. How it ended may be known only once what came has been read. */
  end: (trailers: readonly string[]) => Ending | Promise<Ending>
  /** The upstream failed before that. */
  fail: (error: SidecarError) => Ending | Promise<Ending>
}

/** A body that may keep its head back until `flush`, so that both leave in one packet. */
export interface HeldBody extends ResponseBody {
  /** Sends the head if it has not left yet. */
  flush: () => void
}
