// What the kernel has in force for another process's TCP sockets: nothing but getsockopt() tells the interval and the count
// of keep-alive. The sockets are borrowed with pidfd_getfd, which Python reaches and Node does not.

import { runToEnd } from './program.ts';
import { toolPath } from './tools.ts';

/** A TCP socket that is connected. */
export interface SocketOptions {
  readonly local: number;
  readonly peer: number;
  readonly keepAlive: number;
  readonly idleS: number;
  readonly intervalS: number;
  readonly count: number;
}

const SCRIPT = `
import ctypes, errno, json, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
pid = int(sys.argv[1])
pidfd = libc.syscall(434, pid, 0)
found = []
for name in os.listdir('/proc/%d/fd' % pid):
    try:
        if not os.readlink('/proc/%d/fd/%s' % (pid, name)).startswith('socket:'): continue
    except OSError:
        continue
    fd = libc.syscall(438, pidfd, int(name), 0)
    if fd < 0 and ctypes.get_errno() == errno.EBADF: continue # closed since it was listed
    if fd < 0: sys.exit('pidfd_getfd: ' + os.strerror(ctypes.get_errno()))
    with socket.socket(fileno=fd) as s:
        if s.family not in (socket.AF_INET, socket.AF_INET6): continue
        try:
            peer = s.getpeername()
        except OSError:
            continue
        get = lambda level, option: s.getsockopt(level, option)
        tcp = socket.IPPROTO_TCP
        found.append(dict(local=s.getsockname()[1], peer=peer[1], keepAlive=get(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            idleS=get(tcp, socket.TCP_KEEPIDLE), intervalS=get(tcp, socket.TCP_KEEPINTVL), count=get(tcp, socket.TCP_KEEPCNT)))
print(json.dumps(found))
`;

/** Every connected TCP socket of a process. Needs python3 and the right to trace the process. */
export async function socketOptions(pid: number): Promise<readonly SocketOptions[]> {
  const { code, stdout, stderr } = await runToEnd(toolPath('python3'), ['-c', SCRIPT, String(pid)]);
  if (code !== 0) throw new Error(stderr);
  const found: readonly SocketOptions[] = JSON.parse(stdout);
  return found;
}
