const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/**
 * A made-up JWT, whose signature is none.
 * @param lifetime seconds until it expires; negative where it has expired
 */
export function madeUpJwt (lifetime: number): string {
  const exp = Math.floor(Date.now() / 1000) + lifetime
  return [part({ alg: 'RS256', typ: 'JWT' }), part({ sub: 'demo', exp }), part({ demo: 'no signature' })].join('.')
}

/** Opaque, so that only the upstream knows that it is dead. */
export const revokedToken = 'at-made-up-for-the-demo'
