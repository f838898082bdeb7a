"""A link between two network namespaces that delays and loses packets, as `tc netem` does, for kernels that lack it.

link.py PID PID MS PERCENT: of a process in each namespace; delay one way; packets lost. A line "down" on standard
input drops all, "up" lets them pass again. Says "ready" once both ends are there.
"""
import ctypes, fcntl, heapq, os, random, select, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)


def tun(pid):
    if libc.setns(os.open(f'/proc/{pid}/ns/net', os.O_RDONLY), 0) != 0:
        raise OSError(ctypes.get_errno(), 'setns')
    fd = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH', b'link', 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    return fd


ends = [tun(pid) for pid in sys.argv[1:3]]
delay, loss = float(sys.argv[3]) / 1000, float(sys.argv[4]) / 100
random.seed(1)
queue, up, number = [], True, 0
print('ready', flush=True)
while True:
    wait = max(0, queue[0][0] - time.monotonic()) if queue else None
    readable, _, _ = select.select([*ends, 0], [], [], wait)
    for fd in readable:
        if fd == 0:
            line = sys.stdin.readline()
            if not line:
                sys.exit()
            up = line.strip() == 'up'
            continue
        try:
            packet = os.read(fd, 65536)
        except OSError:
            continue
        if up and random.random() >= loss:
            number += 1
            heapq.heappush(queue, (time.monotonic() + delay, number, ends[1 - ends.index(fd)], packet))
    while queue and queue[0][0] <= time.monotonic():
        _, _, fd, packet = heapq.heappop(queue)
        try:
            os.write(fd, packet)
        except OSError:
            pass
