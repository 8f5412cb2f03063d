/** The systemd unit of an agent. */

export interface UnitOptions {
  /** The program and its arguments, each as it is. */
  command: readonly string[];
  user: string;
  dataDir: string;
  /** Whether anything the agent needs lies in a person's home. */
  readsHome: boolean;
}

/** Under it systemd makes the data folder itself and gives it to the unit's user. */
const STATE_ROOT = "/var/lib/";

/** systemd.exec(5), systemd.service(5), systemd.resource-control(5). */
export function unitText({ command, user, dataDir, readsHome }: UnitOptions): string {
  const isState = dataDir.startsWith(STATE_ROOT);
  const place = isState
    ? [`StateDirectory=${quoted(dataDir.slice(STATE_ROOT.length))}`, "StateDirectoryMode=0700"]
    : [`ReadWritePaths=${quoted(dataDir)}`];
  return `# Written by \`skein service install\`; \`skein service uninstall\` removes it.
[Unit]
Description=Skein: this box's part of its inference fleet
# Not network-online.target: a fleet must come up where there is no way to the internet, and the agent waits for links itself.
After=network.target
# However often it fails, it is tried again: nobody may be there to press a key.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${command.map(quoted).join(" ")}
User=${user}
Environment=${quoted(`SKEIN_DATA=${dataDir}`)}
${place.join("\n")}
UMask=0077
Restart=always
RestartSec=2
# An orderly stop hands leadership on; executors get no signal of their own and go when the agent goes.
KillMode=mixed
TimeoutStopSec=30

# The box has other things to do, and must stay reachable while every core reads pages.
LimitNOFILE=65536
TasksMax=1024
CPUWeight=50
IOWeight=50
Nice=5
MemoryHigh=70%
MemoryMax=80%
# An executor that runs out of memory is replaced by the agent; that must not take the agent down.
OOMPolicy=continue

# It needs its data folder, the network, and to read what the box is. Not MemoryDenyWriteExecute: the compiler in Node writes code.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=${readsHome ? "read-only" : "yes"}
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
`;
}

/** systemd.syntax(7): quotes keep spaces, `%` begins a specifier and `$` a variable. */
function quoted(text: string): string {
  const escaped = text.replace(/["\\]/g, "\\$&").replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[\w@%+=:,./-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}
