import { Agent, request } from 'undici'

/**
 * Who answers at an address.
 * @param patience ms for each step
 */
export async function whoAnswers (origin: string, patience: number): Promise<'ours' | 'other' | 'nobody'> {
  const dispatcher = new Agent({ connect: { timeout: patience } })
  const asked = request(`${origin}/livez`, { dispatcher, headersTimeout: patience, bodyTimeout: patience })
  const answering = await asked.then(async ({ body }) => (await body.text()).includes('"alive"') ? 'ours' : 'other')
    .catch((error: unknown) => (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'nobody' : 'other')
  await dispatcher.destroy()
  return answering
}
