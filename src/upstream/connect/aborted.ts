/** Rejects with the signal's reason once it is aborted: for a race with what can not be ended. */
export function aborted (signal: AbortSignal): Promise<never> {
  const ended = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => { reject(signal.reason as Error) }, { once: true })
  })
  ended.catch(() => {}) // nobody may be racing any more
  return ended
}
