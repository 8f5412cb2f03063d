import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { install, type Machine, uninstall } from "../../agent/cli/service.ts";
import { unitText } from "../../agent/cli/unit.ts";
import { SkeinError } from "../../shared/errors.ts";
import { pretendWorld, skein } from "../support/pretend-world.ts";
import { temporaryFolder } from "../support/temporary.ts";

const COMMAND = ["/usr/bin/node", "/opt/skein/agent/cli/skein.js", "start"];
const UNIT = { command: COMMAND, user: "pi", dataDir: "/var/lib/skein", readsHome: false };

test("the unit, whole", () => {
  expect(unitText(UNIT)).toMatchInlineSnapshot(`
    "# Written by \`skein service install\`; \`skein service uninstall\` removes it.
    [Unit]
    Description=Skein: this box's part of its inference fleet
    # Not network-online.target: a fleet must come up where there is no way to the internet, and the agent waits for links itself.
    After=network.target
    # However often it fails, it is tried again: nobody may be there to press a key.
    StartLimitIntervalSec=0

    [Service]
    Type=exec
    ExecStart=/usr/bin/node /opt/skein/agent/cli/skein.js start
    User=pi
    Environment=SKEIN_DATA=/var/lib/skein
    StateDirectory=skein
    StateDirectoryMode=0700
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
    ProtectHome=yes
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
    "
  `);
});

test("data elsewhere is made writable where it is, and a program in a home can be read", () => {
  const text = unitText({ ...UNIT, dataDir: "/srv/skein", readsHome: true });
  expect(text).toContain("\nReadWritePaths=/srv/skein\n");
  expect(text).toContain("\nProtectHome=read-only\n");
  expect(text).not.toContain("StateDirectory");
});

test("a path is quoted as systemd reads it", () => {
  const command = ["/home/a b/node", '/x/"q"/50%/$HOME\\skein.js', "start"];
  expect(unitText({ ...UNIT, command })).toContain(
    '\nExecStart="/home/a b/node" "/x/\\"q\\"/50%%/$$HOME\\\\skein.js" start\n',
  );
});

const analyze = ["/usr/bin/systemd-analyze", "/bin/systemd-analyze"].find((path) => existsSync(path));
test.skipIf(analyze === undefined)("systemd finds no fault in the unit", () => {
  const folder = temporaryFolder();
  // A program that exists here; the rest is as it is installed.
  const path = join(folder, "skein-under-test.service");
  writeFileSync(path, unitText({ ...UNIT, command: [process.execPath, "start"], user: "root" }));
  const said = execFileSync(analyze!, ["verify", "--man=no", path], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  expect(said).toBe("");
});

interface PretendMachine extends Machine {
  asked: string[];
}

function machine(more: Partial<Machine> = {}): PretendMachine {
  const asked: string[] = [];
  const unitFolder = join(temporaryFolder(), "system");
  mkdirSync(unitFolder);
  return {
    asked,
    isRoot: true,
    hasSystemd: true,
    unitFolder,
    systemctl: async (...args) => void asked.push(args.join(" ")),
    ...more,
  };
}

async function founded(): Promise<string> {
  const data = join(temporaryFolder(), "data");
  await skein(["init", "--data", data]);
  return data;
}

test("install writes the unit, enables and starts it; uninstall takes it away and leaves the data", async () => {
  const box = machine();
  const data = await founded();
  const world = pretendWorld({ env: { SUDO_USER: "pi" } });
  expect(await install({ data }, world, box)).toBe(0);
  const path = join(box.unitFolder, "skein.service");
  expect(readFileSync(path, "utf8")).toContain("\nUser=pi\n");
  expect(readFileSync(path, "utf8")).toContain(`ReadWritePaths=${data}\n`);
  expect(box.asked).toEqual(["daemon-reload", "enable skein.service", "restart skein.service"]);
  box.asked.length = 0;
  expect(await uninstall({ data }, world, box)).toBe(0);
  expect(existsSync(path)).toBe(false);
  expect(box.asked).toEqual(["disable --now skein.service", "daemon-reload"]);
  expect(existsSync(join(data, "fleet.json"))).toBe(true);
  expect(await uninstall({ data }, world, box)).toBe(0);
  expect(world.written.out).toContain("no Skein service");
});

test.each([
  ["without root", { isRoot: false }, "NEEDS_ROOT", 6],
  ["without systemd", { hasSystemd: false }, "BAD_REQUEST", 2],
] as const)("%s it says so and touches nothing", async (_what, more, code, exit) => {
  const box = machine(more);
  for (const change of [install, uninstall]) {
    const error = await change({ data: await founded() }, pretendWorld(), box).catch((e: SkeinError) => e);
    expect(error).toMatchObject({ code, exitCode: exit });
  }
  expect(box.asked).toEqual([]);
  expect(existsSync(join(box.unitFolder, "skein.service"))).toBe(false);
});

test("a box without a fleet gets no service that would fail for ever", async () => {
  const box = machine();
  const data = join(temporaryFolder(), "data");
  await expect(install({ data }, pretendWorld(), box)).rejects.toMatchObject({ code: "NOT_INITIALISED" });
  expect(box.asked).toEqual([]);
});

test("a user that would break out of its line is refused", async () => {
  const box = machine();
  for (const user of ["pi\nExecStartPre=/bin/evil", "a b", "-x", ""])
    await expect(install({ data: await founded(), user }, pretendWorld(), box)).rejects.toBeInstanceOf(SkeinError);
  expect(box.asked).toEqual([]);
});

test("--print shows the unit and needs nothing", async () => {
  const { code, out } = await skein(["service", "install", "--print", "--user", "pi"]);
  expect(code).toBe(0);
  expect(out).toMatch(/^ExecStart=\S+node \S+ start$/m);
  expect(out).toContain("User=pi\n");
  expect((await skein(["service", "uninstall", "--print"])).out).toContain("systemctl disable --now skein.service");
});

test("a systemctl that fails is told with its own words", async () => {
  const box = machine({
    systemctl: async () => {
      throw new SkeinError("INTERNAL", { reason: "systemctl enable: Unit is masked." });
    },
  });
  await expect(install({ data: await founded() }, pretendWorld(), box)).rejects.toThrow("Unit is masked");
});
