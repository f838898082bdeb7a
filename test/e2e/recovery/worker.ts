import { sets, type Case } from './cases.ts'
import { clients } from './clients/all.ts'
import { gatewayPlayer } from './gateway.ts'
import { programPlayer, type Player } from './play.ts'
import { keys } from './providers.ts'
import { rowOf, type Row, type Way } from './rows.ts'
import { startSidecar } from './sidecar.ts'
import { startStandIn } from './stand-in.ts'

/** A client's cases on one way, one after the other. */
export interface Series { readonly set: string, readonly client: string, readonly way: Way, readonly cases: readonly string[], readonly modules: string, readonly node: string }

const WELL: Case = { name: 'well', standing: 'good', times: 0 }

/** Plays a series in whatever namespace this process was started, and tells of each row. */
async function play ({ set, client: name, way, cases, modules, node }: Series, tell: (row: Row) => void): Promise<void> {
  const client = clients.find(client => client.name === name)
  if (client === undefined) throw new Error(`no client ${name}`)
  const upstream = await startStandIn()
  let sidecar = way === 'sidecar' ? await startSidecar(upstream) : undefined
  const url = sidecar?.url ?? upstream.urls[client.provider]
  let player: Player | undefined
  try {
    const good = keys[client.provider].good
    player = client.gateway === undefined ? programPlayer(client, { url, modules }, node, upstream) : await gatewayPlayer(client.gateway, url, good)
    for (const what of cases) {
      const now = sets[set]?.find(({ name }) => name === what)
      if (now === undefined) continue
      upstream.begin(now, client.main)
      tell(rowOf(name, what, way, await player.turn(now, keys[client.provider][now.standing]), upstream))
      if (sidecar !== undefined) { // a new one knows nothing of the case before
        const { port } = sidecar
        await sidecar.close()
        sidecar = await startSidecar(upstream, port)
      }
      upstream.begin(WELL)
      await player.settle?.()
    }
  } finally {
    await player?.close()
    await sidecar?.close()
    upstream.close()
  }
}

process.on('message', (series: Series) => {
  play(series, row => process.send?.({ row }))
    .catch((error: unknown) => process.send?.({ failed: `${series.client}, ${series.way}: ${String(error)}` }))
    .finally(() => process.send?.({ done: true }))
})
process.on('disconnect', () => process.exit())
