import type { Launch } from '../launch.ts'

/** ms for what runs when it is started again: nobody waits for it, since the next process is there at once. */
const DRAIN = 900_000

const escaped = (text: string): string => text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('%', '%%')

/** A word of a command line (systemd.service(5)): quoted where need be, and nothing in it is a variable or a specifier. */
export const word = (text: string): string => /^[\w@.,:=/+-]+$/.test(text) ? text : `"${escaped(text).replaceAll('$', '$$$$')}"`

/** An assignment of Environment=, where `$` has no meaning (systemd.exec(5)). */
export const assignment = ([name, value]: readonly [string, string]): string => `Environment="${name}=${escaped(value)}"`

/**
 * A shell is the process that systemd knows. When it is told to end it does so at once, so that the next one is started at
 * once and takes what is new from the same sockets; ours gets its SIGTERM by that, however the shell has ended, and has all
 * the time that its open streams need (field.md D10). Its exit code is handed on, and its SIGHUP.
 */
const script = `setpriv --pdeathsig TERM /bin/sh -c '[ "$PPID" = "$0" ] && LISTEN_PID=$$ exec "$@"' $$ "$@" & own=$!; trap 'kill -HUP $own' HUP; while wait $own; code=$?; kill -0 $own 2>/dev/null; do :; done; exit $code`

/** The command line of the service. */
export const supervised = ({ command }: Pick<Launch, 'command'>): readonly [string, ...string[]] => ['/bin/sh', '-c', script, 'codex-sidecar', ...command]

const about = (purpose: string, { origin }: Launch): string => `[Unit]
Description=codex-sidecar, ${purpose}
Documentation=${origin}/status`

/** An address and a port as ListenStream= takes them. */
const stream = (address: string, port: number): string => `ListenStream=${address.includes(':') ? `[${address}]` : address}:${port}`

/** The sockets, which stay open while the program is started again. */
export const socketUnit = (launch: Launch): string => `${about('the addresses of a local proxy', launch)}

[Socket]
${launch.addresses.map(address => stream(address, launch.port)).join('\n')}

[Install]
WantedBy=sockets.target
`

/** What only the machine's own systemd can give. */
const machine = `
# No user of its own, and no view of the files of others.
DynamicUser=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
CapabilityBoundingSet=
AmbientCapabilities=
DevicePolicy=closed
RemoveIPC=yes
`

/** @param isMachine for all users, as a user of its own */
export const serviceUnit = (launch: Launch, isMachine: boolean): string => `${about('a local proxy that validates bearer tokens', launch)}
Requires=codex-sidecar.socket
After=codex-sidecar.socket${isMachine ? ' network-online.target\nWants=network-online.target' : ''}

[Service]
${[['PATH', launch.path.join(':')] as const, ['NODE_ENV', 'production'] as const, ['CODEX_SIDECAR_DRAIN', String(DRAIN)] as const, ...Object.entries(launch.env)].map(assignment).join('\n')}
# Yours, for what must not stand here, such as a proxy with a password: a line NAME=VALUE each.
EnvironmentFile=-%E/codex-sidecar/env
ExecStart=${supervised(launch).map(word).join(' ')}
ExecReload=/bin/kill -HUP $MAINPID
# What is under way ends by itself, beside the next one.
KillMode=process

Restart=on-failure
RestartSec=1
# 2 is a mistake in the configuration, 126 and 127 want of a Node: another start would not mend them.
RestartPreventExitStatus=2 126 127
${isMachine ? machine : ''}
# It has no files to write and needs nothing of the machine but the network.
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
# setpriv gives itself the capabilities that it has: none.
SystemCallFilter=capset
SystemCallErrorNumber=EPERM
# MemoryDenyWriteExecute is left out: V8 compiles at run time.

[Install]
WantedBy=${isMachine ? 'multi-user.target' : 'default.target'}
`
