import { Agent, request } from 'undici'

/**
 * Who answers at an address.
 * @param patience ms for each step
 */
export async function whoAnswers (origin: string, patience: number): Promise<'ours' | 'other' | 'nobody'> {
  const dispatcher = new Agent({ connect: { timeout: patience } })
  try {
    const { body } = await request(`${origin}/livez`, { dispatcher, headersTimeout: patience, bodyTimeout: patience })
    return (await body.text()).includes('"alive"') ? 'ours' : 'other'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'nobody' : 'other'
  } finally {
    await dispatcher.destroy()
  }
}
