import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { request } from 'undici'
import { WebSocket } from 'ws'
import { RawClient } from '../../fixtures/raw-client.ts'
import { bearer } from '../../fixtures/token.ts'
import { inside, link, shell, startProgram, startUpstreamThere } from './inside.ts'

// The interface is down for 20 s under 50 streams and 20 WebSockets of the built program, while other clients go on asking.

const GAP = 20_000
const STREAMS = 50
const SESSIONS = 20
/** ms between the events of a stream, and how many it has. */
const BEAT = 500
const BEATS = 80

interface Ended { readonly how: 'whole' | 'explained' | 'closed' | 'cut', readonly ms: number, readonly words: string }

const longest = (ended: readonly Ended[]): string => `${(Math.max(...ended.map(({ ms }) => ms)) / 1000).toFixed(1)} s`

await inside(import.meta.filename, ['ip'], async (t, main) => {
  const dir = t.testdir({})
  shell(`${link}; ip addr add 10.99.0.1/24 dev near; ip -n there addr add 10.99.0.2/24 dev far`)
  await startUpstreamThere(t)

  /** Streams and WebSockets that live, the second half of these with a message under way; what became of each is counted in ms from when it is asked. */
  const open = async (t: Test, port: number) => {
    let began = 0
    const since = (): number => performance.now() - began
    const streams = await Promise.all(Array.from({ length: STREAMS }, async () => {
      const client = new RawClient(t, port)
      client.write(`POST /v1/responses?beats=${BEATS}&beat=${BEAT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\noriginator: codex_exec\r\nAccept: text/event-stream\r\nContent-Length: 15\r\n\r\n{"stream":true}`)
      await client.until(() => client.received.includes('response.created'))
      return client
    }))
    const sessions = await Promise.all(Array.from({ length: SESSIONS }, async () => {
      const session = new WebSocket(`ws://127.0.0.1:${port}/v1/responses`, { headers: bearer('good') })
      t.teardown(() => { session.terminate() })
      session.on('error', () => {})
      await once(session, 'open')
      session.send('before')
      await once(session, 'message')
      return session
    }))
    return {
      /** Says what becomes of them, from now on. */
      ends: () => {
        began = performance.now()
        return {
          streams: Promise.all(streams.map(async (client): Promise<Ended> => {
            await client.until(() => /response\.(?:completed|failed)/.test(client.received))
            const { received } = client
            return { how: received.includes('response.completed') ? 'whole' : received.includes('response.failed') ? 'explained' : 'cut', ms: since(), words: /"message":"[^"]*"/.exec(received)?.[0] ?? '' }
          })),
          sessions: Promise.all(sessions.map(async (session, i): Promise<Ended> => {
            if (i % 2 === 1) session.send('are you there?')
            const closed = once(session, 'close').then(([code, reason]): Ended => ({ how: 'closed', ms: since(), words: `${code} ${String(reason)}` }))
            const answered = once(session, 'message').then(([data]): Ended | Promise<Ended> => String(data).startsWith('{') ? closed : { how: 'whole', ms: since(), words: '' })
            return await Promise.race([closed, answered])
          }))
        }
      },
      /** Whether the WebSockets that nothing was asked of still answer. */
      speak: async (): Promise<boolean> => (await Promise.all(sessions.filter((_, i) => i % 2 === 0).map(async session => {
        session.send('after')
        return session.readyState === WebSocket.OPEN && String((await once(session, 'message'))[0]) === 'after'
      }))).every(Boolean),
      close: () => {
        for (const client of streams) client.socket.destroy()
        for (const session of sessions) session.terminate()
      }
    }
  }

  /** Asks anew each 100 ms until told to stop, as clients do that try again; counts the ms from a moment on to the first success that began after it. */
  const askOn = (url: string) => {
    let back = Infinity
    let refused = 0
    const first = (async (): Promise<number> => {
      const tries: Promise<void>[] = []
      let found: number | undefined
      while (found === undefined) {
        const began = performance.now()
        tries.push(request(`${url}/v1/models`, { headers: bearer(`good-${refused % 3}`) }).then(async ({ statusCode, body }) => {
          await body.dump()
          if (statusCode !== 200) refused++
          else if (began >= back) found ??= performance.now() - back
        }, () => {}))
        await sleep(100)
      }
      await Promise.all(tries)
      return found
    })()
    return { isBack: () => { back = performance.now() }, first, refused: () => refused }
  }

  const start = async (t: Test, options: object = {}) => {
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ probe: 'off', openaiUpstream: 'http://10.99.0.2/v1', lanes: { unverified: 256 }, ...options }))
    return await startProgram(t, main, { HOME: dir, CODEX_SIDECAR_CONFIG: join(dir, 'config.json') })
  }

  const outages: Readonly<Record<string, { down: string, up: string }>> = {
    'the interface is down': { down: 'ip link set near down', up: 'ip link set near up' },
    'packets vanish on the way': { down: 'ip -n there link set far down; ip neigh replace 10.99.0.2 lladdr 02:00:00:00:00:01 dev near nud permanent', up: 'ip -n there link set far up; ip neigh del 10.99.0.2 dev near' }
  }

  for (const [says, { down, up }] of Object.entries(outages)) {
    await t.test(`${says} for 20 s, times as they are`, async t => {
      const program = await start(t)
      const live = await open(t, program.port)
      const asking = askOn(program.url)
      shell(down)
      const { streams, sessions } = live.ends()
      await sleep(GAP)
      shell(up)
      asking.isBack()
      const ms = await asking.first
      t.comment(`${asking.refused()} requests refused meanwhile; the first one that began after its return was served ${ms.toFixed(0)} ms after it`)
      t.ok(ms < 2_000, 'within two seconds of its return')
      const ended = await streams
      t.comment(`streams: ${ended.filter(({ how }) => how === 'whole').length} of ${STREAMS} whole, the last one after ${longest(ended)}`)
      t.ok(ended.every(({ how }) => how === 'whole'), 'all streams go on and arrive whole')
      t.ok(await live.speak(), 'the WebSockets that nothing was asked of answer as before')
      live.close()
      const asked = (await sessions).filter((_, i) => i % 2 === 1)
      t.comment(`WebSockets with a message under way: ${asked.filter(({ how }) => how === 'whole').length} of ${asked.length} answered, the others told, all within ${longest(asked)}; ${asked.find(({ how }) => how === 'closed')?.words ?? ''}`)
      t.ok(asked.every(({ how, words, ms }) => ms < 30_000 && (how === 'whole' || /^1011 upstream_timeout: .*no sign of life/.test(words))), 'answered, or told within 30 s')
    })
  }

  await t.test('this machine comes back with another address, times small', async t => {
    const program = await start(t, { times: { ping: 3_000, idleStream: 10_000, connect: 2_000 } })
    const live = await open(t, program.port)
    const asking = askOn(program.url)
    shell('ip addr del 10.99.0.1/24 dev near; ip link set near down')
    const { streams, sessions } = live.ends()
    await sleep(GAP)
    shell('ip addr add 10.99.0.9/24 dev near; ip link set near up')
    asking.isBack()
    const ms = await asking.first
    t.comment(`the first request that began after its return was served ${ms.toFixed(0)} ms after it`)
    t.ok(ms < 2_000, 'within two seconds of its return')
    const [ended, closed] = await Promise.all([streams, sessions])
    t.comment(`streams: explained within ${longest(ended)}: ${ended[0]?.words}`)
    t.ok(ended.every(({ how, ms }) => how === 'explained' && ms < 13_000), 'each stream within times.idleStream')
    const asked = closed.filter((_, i) => i % 2 === 1)
    const idle = closed.filter((_, i) => i % 2 === 0)
    t.comment(`WebSockets: with a message under way within ${longest(asked)}, others within ${longest(idle)}: ${asked[0]?.words}`)
    t.ok(asked.every(({ how, words, ms }) => how === 'closed' && words.startsWith('1011 upstream_timeout') && ms < 10_000), 'each WebSocket with a message within two and a half times times.ping')
    t.ok(idle.every(({ how, words, ms }) => how === 'closed' && words.startsWith('1011 upstream_timeout') && ms < 13_000), 'the others within times.idleStream')
    live.close()
  })
})
