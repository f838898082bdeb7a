import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as tls from 'node:tls'
import type { Options, Route } from '../options.ts'
import { nameOf } from '../routes.ts'

type Env = Readonly<Record<string, string | undefined>>

/** What of Node's TLS is asked for CAs: the second one came with Node 22.15 and 23.10. */
export interface NodeTrust {
  readonly rootCertificates: readonly string[]
  readonly getCACertificates?: (kind: 'default' | 'system') => string[]
}

/** A file of certificates, PEM; empty, and a mistake more, where it is none. */
function readPem (path: string, mistakes: string[]): string {
  try {
    const text = readFileSync(path, 'utf8')
    new X509Certificate(text)
    return text
  } catch (error) {
    mistakes.push(`${path}: ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? 'cannot be read (ENOENT)' : 'holds no PEM certificate'}`)
    return ''
  }
}

/**
 * The CAs to trust at the upstreams: `caFile` and the system's, where they are asked for, beside what Node trusts already. A list
 * takes the place of all that Node trusts by itself, NODE_EXTRA_CA_CERTS too, so that it has to have that in it.
 * @returns undefined where Node's own are enough
 */
export function readTrust ({ caFile, useSystemCa }: Pick<Options, 'caFile' | 'useSystemCa'>, env: Env, mistakes: string[], node: NodeTrust = tls): string[] | undefined {
  const { getCACertificates, rootCertificates } = node
  if (useSystemCa && getCACertificates === undefined) mistakes.push(`useSystemCa: needs Node 22.15, 23.10 or later, and this is ${process.version}; caFile can name a file with the CAs`)
  if (caFile === undefined && !useSystemCa) return undefined
  const extra = env['NODE_EXTRA_CA_CERTS']
  const files = [caFile, extra].filter(path => path !== undefined && path !== '') as string[]
  return [
    ...getCACertificates?.('default') ?? rootCertificates,
    ...useSystemCa ? getCACertificates?.('system') ?? [] : [],
    ...files.map(path => readPem(path, mistakes))
  ]
}

/** A certificate of our own and its key, which shows in no text that is made of it. */
export class Identity {
  readonly #cert: string
  readonly #key: string

  constructor (cert: string, key: string) {
    this.#cert = cert
    this.#key = key
  }

  /** For TLS only. */
  reveal (): { cert: string, key: string } { return { cert: this.#cert, key: this.#key } }
}

/** The certificates with which routes show themselves to their upstreams, by the routes' names. */
export function readIdentities (routes: readonly Route[], mistakes: string[]): Readonly<Record<string, Identity>> {
  const identities: Record<string, Identity> = {}
  routes.forEach((route, i) => {
    const { cert, key } = route
    if (cert === undefined && key === undefined) return
    if (cert === undefined || key === undefined) return void mistakes.push(`routes.${i}: has ${cert === undefined ? 'key without cert' : 'cert without key'}, allowed: both or none`)
    try {
      const [own, secret] = [cert, key].map(path => readFileSync(path, 'utf8')) as [string, string]
      tls.createSecureContext({ cert: own, key: secret })
      identities[nameOf(route)] = new Identity(own, secret)
    } catch (error) {
      const { code = '', path } = error as NodeJS.ErrnoException
      mistakes.push(path === undefined ? `routes.${i}.key: ${key} is not the key of ${cert}, or one of them is no PEM file` : `${path}: cannot be read (${code})`)
    }
  })
  return identities
}
