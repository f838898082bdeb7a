import { spawnSync } from 'node:child_process'

/** Brings loopback up, then becomes the program that follows. */
const inside = ['sh', '-c', 'ip link set lo up && exec "$@"', 'sh']

/**
 * What to put before a command so that it runs in a network namespace of its own, with loopback and nothing else.
 * Undefined where the machine does not allow it: not Linux, no `unshare` or `ip`, or no right to.
 */
export function ownNetwork (): readonly string[] | undefined {
  const ways = [['-n'], ['-rn']].map(options => ['unshare', ...options, ...inside]) // the second for those who are not root
  return ways.find(([program = '', ...rest]) => spawnSync(program, [...rest, 'true']).status === 0)
}
