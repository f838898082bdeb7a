import { SidecarError } from '../answers/errors.ts'
import { systemClock } from '../clock.ts'
import { loadConfig, type Config } from '../config/config.ts'
import type { Route } from '../config/options.ts'
import { foreignKinds } from '../config/routes.ts'
import { calledAs, createCredentialReader, type Credential, type Presented } from '../credential/credential.ts'
import type { Presentation } from '../credential/presentation.ts'
import { UpstreamClock } from '../upstream/clock.ts'
import { createUpstream } from '../upstream/upstream.ts'
import { createClaimsValidator } from '../verdict/local/claims.ts'
import { createSignatureValidator } from '../verdict/local/signature.ts'
import { probe, type ProbeAnswer } from '../verdict/probe/probe.ts'
import type { Inactive, Verdict } from '../verdict/verdict.ts'
import type { Held } from '../status/held.ts'
import type { Command, CommandContext } from './command.ts'
import { askRunning, askStatus, notRunning } from './running.ts'
import { printable } from './terminal.ts'
import { credentialText } from './status.ts'

/** Longest token read, bytes. */
const LONGEST = 1 << 20

async function read (stdin: AsyncIterable<Buffer | string>): Promise<string> {
  let text = ''
  for await (const chunk of stdin) {
    text += chunk.toString()
    if (text.length > LONGEST) break
  }
  return text.trim().replace(/^bearer\s+/i, '')
}

/** The route a token looks made for: the first one that would take its kind. */
function routeFor (token: string, routes: readonly Route[], prefix: string | undefined): Route | undefined {
  const among = prefix === undefined ? routes : routes.filter(route => route.prefix === prefix.replace(/\/+$/, ''))
  const wanted = token.startsWith('sk-ant-') ? 'anthropic' : 'openai'
  const takes = ({ prefix, foreignPrefixes }: Route): boolean => !Object.keys({ ...foreignKinds[prefix], ...foreignPrefixes }).some(foreign => token.startsWith(foreign))
  return among.find(route => route.dialect === wanted && takes(route)) ?? among[0]
}

/** The token as a client of that route would send it. */
function presentationOf (token: string, route: Route): Presentation {
  const [field = 'authorization'] = route.credential
  const asKey = field !== 'authorization' && !token.startsWith('sk-ant-oat') // those are bearer tokens
  const version = route.dialect === 'anthropic' ? ['anthropic-version', '2023-06-01'] : []
  return { route, raw: [...asKey ? [field, token] : ['Authorization', `Bearer ${token}`], ...version] }
}

/** The account that a ChatGPT token says it is for. */
function accountOf ({ claims }: Credential): string | undefined {
  const { chatgpt_account_id: account } = (claims?.['https://api.openai.com/auth'] ?? {}) as { chatgpt_account_id?: unknown }
  return typeof account === 'string' ? account : undefined
}

/** With the field that ChatGPT's clients add, from the token itself. */
function withAccount ({ route, raw }: Presentation, credential: Credential): Presentation {
  const account = accountOf(credential)
  return { route, raw: account === undefined ? raw : [...raw, 'chatgpt-account-id', account] }
}

/** This machine's clock, taken for right: doctor looks at it. */
const trusted = new UpstreamClock(systemClock, () => Promise.resolve(systemClock.wall()))

/** What is known without sending the token anywhere. */
async function judgeHere (credential: Credential, presentation: Presentation, config: Config): Promise<Verdict | undefined> {
  const signature = createSignatureValidator(config, systemClock)
  try {
    return await createClaimsValidator(() => trusted).validate(credential, presentation) ?? await signature.validate(credential, presentation)
  } finally {
    await signature.close()
  }
}

/** What the form says, or what else is known without asking; on a route without credentials nothing is. */
async function hereOf (presented: Presented, presentation: Presentation, config: Config): Promise<Verdict | undefined> {
  if (presented.kind === 'credential') return await judgeHere(presented.credential, presentation, config)
  return presented.kind === 'malformed' ? { state: 'inactive', reason: 'malformed_token', source: 'syntax', detail: presented.detail } : undefined
}

/** What the upstream says; undefined where the route has nothing to ask. */
async function askUpstream (presentation: Presentation, config: Config): Promise<ProbeAnswer | undefined> {
  const { route } = presentation
  if (route.probePath === undefined) return undefined
  const upstream = createUpstream(route, config, systemClock)
  try {
    return await probe(upstream, route.probePath, presentation, config.times.probe)
  } finally {
    await upstream.close()
  }
}

/** Why there is no verdict, for a person. */
function doubt (answer: ProbeAnswer | undefined, asked: boolean): string {
  if (!asked) return 'nothing speaks against it here; only the upstream knows more (--probe asks it)'
  if (answer === undefined) return 'nothing speaks against it here, and this route has no probePath to ask the upstream'
  return `the upstream ${answer.status === undefined ? 'gave no answer' : `answered ${answer.status}, which says nothing for certain`}`
}

/** Judges the token on standard input. Exit 0 active, 1 inactive, 2 could not tell. It never prints the token. */
export const check: Command = async ({ flags: { route: prefix, ...others }, env, stdin, stdout, stderr }) => {
  const asked = 'probe' in others
  const flags = Object.fromEntries(Object.entries(others).filter(([name]) => name !== 'probe' && name !== 'running'))
  const config = loadConfig({ flags, env })
  const { routes } = config
  if (stdin.isTTY === true) stderr.write('codex-sidecar: the token, then Enter and Ctrl+D:\n')
  const token = await read(stdin)
  if (token === '') stderr.write('codex-sidecar: nothing came on standard input, where check reads the token: printf %s "$OPENAI_API_KEY" | codex-sidecar check\n')
  const route = routeFor(token, routes, prefix)
  if (route === undefined) {
    stderr.write(`codex-sidecar: no route ${JSON.stringify(prefix)}; there are ${routes.map(r => `${r.prefix}/`).join(', ')}\n`)
    return 2
  }
  const bare = presentationOf(token, route)
  if ('running' in others) return await askWhatIsHeld(bare.raw, config, { stdout, stderr })
  const presented = createCredentialReader()(bare.raw, route.credential)
  const presentation = presented.kind === 'credential' ? withAccount(bare, presented.credential) : bare
  const here = await hereOf(presented, presentation, config)
  const answer = asked && here === undefined ? await askUpstream(presentation, config) : undefined
  const named = presented.kind === 'credential' ? calledAs(presented.credential, route) : undefined
  return report(here ?? verdictOf(answer), { prefix: route.prefix, named, why: doubt(answer, asked) }, stdout)
}

/** What the running one knows of a token. Exit 0 good, 1 refused, 2 anything else. */
async function askWhatIsHeld (headers: readonly string[], config: Config, { stdout, stderr }: Pick<CommandContext, 'stdout' | 'stderr'>): Promise<number> {
  // Whatever else may listen there is not told the token.
  const answer = await askStatus(config, 1) === undefined ? undefined : await askRunning(config, { path: '/status/held', headers })
  if (answer?.status !== 200) {
    stderr.write(notRunning(config))
    return 2
  }
  const { credential } = answer.body as Held
  stdout.write(credential === null ? 'the running codex-sidecar has not seen this token\n' : printable(credentialText(credential)))
  return credential?.state === 'good' ? 0 : credential?.state === 'refused' || credential?.state === 'expired' ? 1 : 2
}

/** The verdict in a probe's answer, if there is one. */
function verdictOf (answer: ProbeAnswer | undefined): Verdict | undefined {
  const testimony = answer?.testimony
  return testimony?.kind === 'accepted' ? { state: 'active', source: testimony.source } : testimony?.kind === 'rejected' ? testimony.verdict : undefined
}

function report (verdict: Verdict | undefined, { prefix, named = 'bearer token', why }: { prefix: string, named?: string | undefined, why: string }, stdout: CommandContext['stdout']): number {
  if (verdict === undefined) {
    stdout.write(`could not tell for ${prefix}/: ${why}\n`)
    return 2
  }
  if (verdict.state === 'active') {
    stdout.write(`active on ${prefix}/ (by its ${verdict.source})\n`)
    return 0
  }
  const { reason, source, detail }: Inactive = verdict
  stdout.write(`inactive on ${prefix}/ (${reason}, by its ${source}): ${new SidecarError(reason, { detail, named }).message}\n`)
  return 1
}
