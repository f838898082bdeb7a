/** Where systemd's sockets begin, after the standard streams (sd_listen_fds(3)). */
const FIRST = 3

/**
 * File descriptors of sockets that the system has opened for this process: they stay open while it is started again, so
 * that nobody is refused in between. Whoever inherits the variables is not meant by them.
 */
export function inheritedSockets ({ LISTEN_PID: pid, LISTEN_FDS: count }: Readonly<Record<string, string | undefined>>, own = process.pid): number[] {
  if (pid !== String(own) || !/^[1-9]\d?$/.test(count ?? '')) return []
  return Array.from({ length: Number(count) }, (_, i) => FIRST + i)
}
