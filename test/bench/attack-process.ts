import { once } from 'node:events'
import { setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { attackUntil } from '../fixtures/attack/attacks.ts'
import { openHostileUpstream } from '../fixtures/attack/upstream.ts'
import { Random } from '../fixtures/random.ts'

/** The attackers and their upstream as a process of their own, which yields to all others: what is felt is the sidecar's doing, not a want of processors. */
setPriority(15)
const random = new Random(Number(process.argv[2]))
const hostile = await openHostileUpstream(random)
process.on('disconnect', () => process.exit())
let attacking: unknown = false
const counts = new Map<string, number>()
const begun = once(process, 'message') as Promise<[{ port: number, pid: number }]>
process.send?.({ url: hostile.url })
const [{ port, pid }] = await begun
const target = { port, random, hangUp: () => { process.kill(pid, 'SIGHUP') }, announce: (name: string) => { process.send?.({ name }) }, complain: (wrong: string) => { process.send?.({ wrong }) } }
process.on('message', message => { attacking = message === 'attack' })
while (attacking !== undefined) {
  while (!attacking) await sleep(20)
  await attackUntil(() => !attacking, target, counts)
  process.send?.({ counts: [...counts] })
}
