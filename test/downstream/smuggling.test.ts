import { connect } from 'node:net'
import t from 'tap'
import { endToEnd, pairsOf, valuesOf } from '../../src/wire/headers.ts'
import { shownPath } from '../../src/wire/secrets.ts'
import { Random } from '../fixtures/random.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { mutatedRequest, startStrictUpstream } from '../fixtures/smuggling.ts'

t.setTimeout(1_800_000)

/** Heads in all, and as many at once on one connection, over so many connections. */
const HEADS = Number(process.env['FUZZ_HEADS'] ?? 2_500)
const BATCH = 4
const CONNECTIONS = 16

/** ms without a byte after which a connection whose last request waits for more is given up. */
const PATIENCE = 60

/** Sends bytes over a connection of their own until it ends or falls silent. */
const send = (port: number, bytes: Buffer): Promise<void> => new Promise(resolve => {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.on('close', () => { resolve() })
  socket.setTimeout(PATIENCE, () => socket.destroy())
  socket.resume()
  socket.write(bytes)
})

interface Count { judged: number, arrived: number }

t.test(`${HEADS} ambiguous requests: what arrives is what was judged`, async t => {
  const random = new Random()
  t.comment(`SEED=${random.seed}`)
  const upstream = await startStrictUpstream()
  t.teardown(upstream.close)
  /** What the guard saw: the token behind each fingerprint, and the end-to-end fields behind each marker. */
  const tokens = new Map<string, Set<string>>()
  /** And the fingerprint of each field's value: another spelling is another credential. */
  const fingerprints = new Map<string, string>()
  const heads = new Map<string, Set<string>>()
  const textOf = (pairs: readonly (readonly [string, string])[]): string => JSON.stringify(pairs.map(([name, value]) => [name.toLowerCase(), value]).filter(([name]) => name !== 'content-length'))
  const { port, lines, app } = await startSidecar(t, {
    upstream: upstream.url, logLevel: 'info', lanes: { unverified: 10_000 },
    remote: [{
      validate: (credential, { raw }) => {
        const fingerprint = String(credential)
        fingerprints.set(valuesOf(raw, 'authorization')[0] ?? '', fingerprint)
        tokens.set(fingerprint, (tokens.get(fingerprint) ?? new Set()).add(credential.reveal()))
        const marker = valuesOf(endToEnd(raw), 'x-marker').join(', ')
        heads.set(marker, (heads.get(marker) ?? new Set()).add(textOf(pairsOf(endToEnd(raw)))))
        return undefined
      }
    }]
  })
  const started = performance.now()
  let sent = 0
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    while (sent < HEADS) {
      const from = sent
      sent += BATCH
      await send(port, Buffer.concat(Array.from({ length: BATCH }, (_, i) => mutatedRequest(from + i, random))))
    }
  }))
  await app.close()
  t.comment(`${sent} heads in ${((performance.now() - started) / 1000).toFixed(1)} s: ${lines().length} log lines, ${upstream.arrivals.length} arrivals`)

  t.strictSame(upstream.faults.slice(0, 5), [], 'nothing ambiguous arrives')
  const counts = new Map<string, Count>()
  const count = (key: string, what: keyof Count): void => {
    const entry = counts.get(key) ?? { judged: 0, arrived: 0 }
    entry[what]++
    counts.set(key, entry)
  }
  t.strictSame([...tokens.values()].filter(({ size }) => size > 1), [], 'a fingerprint is of one token')
  let answered = 0
  const missing: unknown[] = []
  const arrivedKeys = new Map<string, number>()
  for (const { method, path, fields } of upstream.arrivals) {
    const authorization = fields.find(([name]) => name.toLowerCase() === 'authorization')?.[1]
    const token = authorization === undefined ? undefined : fingerprints.get(authorization)
    const key = JSON.stringify([method, shownPath(path), /^bearer\s/i.test(authorization ?? '') ? token ?? 'never judged' : undefined])
    count(key, 'arrived')
    arrivedKeys.set(key, (arrivedKeys.get(key) ?? 0) + 1)
  }
  for (const { method, path, token, lane, upstreamMs } of lines()) {
    if (lane === undefined) continue
    const key = JSON.stringify([method, path, token])
    count(key, 'judged')
    if (upstreamMs === undefined) continue
    answered++
    const left = arrivedKeys.get(key) ?? 0
    if (left === 0) missing.push(key)
    arrivedKeys.set(key, left - 1)
  }
  const unjudged = [...counts].filter(([, { judged, arrived }]) => arrived > judged)
  t.strictSame(unjudged.slice(0, 5), [], 'nothing arrives that was not judged so: method, path and token')
  t.strictSame(missing.slice(0, 5), [], 'nothing is answered that did not arrive so')
  const differing = upstream.arrivals.filter(({ fields }) => {
    const marker = fields.filter(([name]) => name.toLowerCase() === 'x-marker').map(([, value]) => value).join(', ')
    const bearer = fields.some(([name, value]) => name.toLowerCase() === 'authorization' && /^bearer\s/i.test(value))
    const own = fields.filter(([name]) => !/^(?:host|connection|transfer-encoding|content-length|via)$/i.test(name))
    return bearer && heads.get(marker)?.has(textOf(own)) !== true
  })
  t.strictSame(differing.slice(0, 3), [], 'each arrives with the very fields that were judged')
  t.comment(`${answered} answered, ${unjudged.length + missing.length + differing.length + upstream.faults.length} differences`)
  t.ok(upstream.arrivals.length > sent / 20, 'enough of them pass for this to say something')
  t.strictSame(lines().filter(({ code }) => code === 'internal_error').slice(0, 3), [], 'none is a fault of ours')
})
