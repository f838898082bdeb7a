/**
 * Runs something with the HTTP proxy of the environment set aside: the demo needs no network, and a proxy elsewhere
 * would look for loopback on its own machine.
 */
export async function withoutHttpProxy<T> (run: () => Promise<T>): Promise<T> {
  const { env } = process
  const before = env['no_proxy']
  env['no_proxy'] = '*' // the lower-case name wins over the other
  try {
    return await run()
  } finally {
    if (before === undefined) delete env['no_proxy']
    else env['no_proxy'] = before
  }
}
