import type { Test } from 'tap'
import { say } from '../openclaw/conversation.ts'
import { startGateway } from '../openclaw/gateway.ts'
import { installOpenClaw } from '../openclaw/installation.ts'
import { PATIENCE, type Ended, type Player } from './play.ts'

/** OpenClaw in a gateway that lives through many turns, each in a session of its own. It is begun anew where it has benched the login. */
export async function gatewayPlayer (version: string, url: string, good: string): Promise<Player> {
  const installation = await installOpenClaw(version)
  const undo: (() => unknown)[] = []
  const t = { teardown: (step: () => unknown) => { undo.unshift(step) } } as unknown as Test // all that is asked of it
  const begin = () => startGateway(t, installation, { main: `${url}/backend-api`, helper: `${url}/backend-api` }, { main: good })
  const close = async (): Promise<void> => { for (const step of undo.splice(0)) await step() }
  const state = { gateway: await begin(), key: good, turns: 0, failed: false }
  const ask = () => say(state.gateway.operator, `agent:main:turn-${++state.turns}`, 'Say hello', PATIENCE).ended
  const signIn = async (key: string): Promise<void> => {
    if (key !== state.key) await state.gateway.signIn({ main: key })
    state.key = key
  }
  await ask() // the first one loads what the others have

  return {
    async turn (_now: unknown, key: string): Promise<Ended> {
      await signIn(key)
      const { kind, text } = await ask()
      state.failed = kind !== 'answer'
      return { answer: kind === 'answer' ? text : '', complaint: kind === 'answer' ? '' : text, success: kind === 'answer', endless: kind === 'silence' }
    },
    async settle (): Promise<void> {
      await signIn(good)
      if (!state.failed || (await ask()).kind === 'answer') return
      await close()
      state.gateway = await begin()
    },
    close
  }
}
