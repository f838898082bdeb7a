import { randomBytes } from 'node:crypto'

/** Makes the ids of requests: 12 hex digits that are this process's own, and a number that counts them. */
export function createRequestIds (own = randomBytes(6).toString('hex')): () => string {
  let count = 0
  return () => `${own}-${++count}`
}
