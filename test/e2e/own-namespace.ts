import { spawnSync } from 'node:child_process'

/** Hides folders behind empty ones of its own, brings loopback up, then becomes the program that follows `--`. */
const inside = ['sh', '-ec', 'while [ "$1" != -- ]; do mkdir -p "$1"; mount -t tmpfs -o mode=700 tmpfs "$1"; shift; done; shift; ip link set lo up; exec "$@"', 'sh']

/**
 * What to put before a command so that it runs in namespaces of its own: of the network only loopback is there, and what it
 * writes into the folders named goes away with it. Undefined where the machine does not allow it: not Linux, no `unshare`
 * or `ip`, or no right to.
 */
export function ownNamespace (folders: readonly string[]): readonly string[] | undefined {
  const ways = ['-nm', '-rnm'].map(options => ['unshare', options, ...inside, ...folders, '--']) // the second for those who are not root
  return ways.find(([program = '', ...rest]) => spawnSync(program, [...rest, 'true']).status === 0)
}
