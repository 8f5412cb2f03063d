import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ownAddresses } from "../../agent/cli/found.ts";
import { readHome, writeHome } from "../../agent/cli/home.ts";
import { claimRunFile, processMark, publishRunFile, readRunFile, removeRunFile } from "../../agent/cli/run-file.ts";
import { nodeIdOf } from "../../agent/io/network/index.ts";
import type { RosterNode } from "../../shared/fleet.ts";
import type { InviteId, NodeId } from "../../shared/ids.ts";
import { encodeInvite } from "../../shared/invite.ts";
import { skein } from "../support/pretend-world.ts";
import { temporaryFolder } from "../support/temporary.ts";

const home = (): string => join(temporaryFolder(), "data");

test("init makes a home that start can read, with its secrets for the owner only", async () => {
  const data = home();
  const { code, out } = await skein([
    ..."init --name attic --fleet house --port 7500 --api-port 7501 --executors 2 --data".split(" "),
    data,
  ]);
  expect(code).toBe(0);
  expect(out).toContain(`skein start --data ${data}`);
  const { nodeKey, fleet, config } = await readHome(data);
  expect(nodeIdOf(nodeKey)).toMatch(/^12D3KooW/);
  expect(fleet).toMatchObject({ fleetName: "house", founder: true, roster: [] });
  expect(fleet.fleetSecret).toMatch(/^[0-9a-f]{64}$/);
  expect(config).toEqual({
    name: "attic",
    network: { port: 7500, hosts: ["0.0.0.0"], beacon: true },
    api: { host: "127.0.0.1", port: 7501 },
    executors: 2,
  });
  for (const name of readdirSync(data)) expect([name, statSync(join(data, name)).mode & 0o077]).toEqual([name, 0]);
  expect(readdirSync(data).sort()).toEqual(["config.json", "fleet.json", "identity.key"]);
});

test("every box and every fleet is its own", async () => {
  const [one, two] = [home(), home()];
  for (const data of [one, two]) await skein(["init", "--data", data]);
  const [a, b] = [await readHome(one), await readHome(two)];
  expect(a.fleet.fleetSecret).not.toBe(b.fleet.fleetSecret);
  expect(a.fleet.fleetId).not.toBe(b.fleet.fleetId);
  expect(nodeIdOf(a.nodeKey)).not.toBe(nodeIdOf(b.nodeKey));
});

test("a home is not founded twice, nor joined to a second fleet", async () => {
  const data = home();
  await skein(["init", "--fleet", "house", "--data", data]);
  const before = readFileSync(join(data, "fleet.json"), "utf8");
  for (const argv of [["init"], ["join", "skein1-x"]]) {
    const { code, err } = await skein([...argv, "--data", data]);
    expect(code).toBe(2);
    expect(err).toContain("already belongs to fleet house");
  }
  expect(readFileSync(join(data, "fleet.json"), "utf8")).toBe(before);
});

test("a witness' home says so, and which of the others is one", async () => {
  const data = home();
  await skein(["init", "--data", data]);
  const { fleet, config } = await readHome(data);
  const node = { nodeId: `12D3KooW${"w".repeat(44)}` as NodeId, name: "owl", addresses: [], admittedAtIndex: 3 };
  const roster: RosterNode[] = [{ ...node, part: "witness" }];
  await writeHome(data, { ...fleet, roster }, { ...config, part: "witness" });
  expect(await readHome(data)).toMatchObject({ fleet: { roster }, config: { part: "witness" } });
});

test("$SKEIN_DATA names the folder where --data does not", async () => {
  const { pretendWorld } = await import("../support/pretend-world.ts");
  const data = home();
  const world = pretendWorld({ env: { SKEIN_DATA: data, SKEIN_TOKEN: "t0k" } });
  expect((await skein(["init", "--json"], world)).code).toBe(0);
  expect(JSON.parse(world.written.out)).toMatchObject({ dataDir: data });
  expect((await readHome(data)).config.api.token).toBe("t0k");
});

const BAD_OPTIONS: string[][] = [
  ["--port", "70000"],
  ["--port", "x"],
  ["--api-port", "-1"],
  ["--executors", "-1"],
  ["--executors", "1.5"],
  ["--name", ""],
  ["--name", "a\nb"],
  ["--fleet", ""],
  ["--name", "n".repeat(300)],
];
test.each(BAD_OPTIONS)("init %s %j is refused and leaves nothing behind", async (option, value) => {
  const data = home();
  const { code, err } = await skein(["init", option!, value!, "--data", data]);
  expect(code).toBe(2);
  expect(err).toMatch(/^skein: The request is not valid: /);
  expect(existsSync(data)).toBe(false);
});

const DAMAGES: [what: string, file: string, content: (whole: string) => string, says: string][] = [
  ["cut off", "fleet.json", (whole) => whole.slice(0, 40), "it is not JSON"],
  ["of another version", "fleet.json", (whole) => whole.replace('"version": 1', '"version": 9'), "another version"],
  [
    "without its secret",
    "fleet.json",
    (whole) => whole.replace(/"fleetSecret": "\w+"/, '"fleetSecret": "x"'),
    "fleetSecret",
  ],
  ["with a misspelt setting", "config.json", (whole) => whole.replace('"name"', '"nmae"'), "nmae is not known"],
  ["with a part that is none", "config.json", (whole) => whole.replace('"name"', '"part": "x", "name"'), "part"],
  ["with a port that is none", "config.json", (whole) => whole.replace("7400", '"7400"'), "network.port"],
];
test.each(DAMAGES)(
  "a home with a file %s (%s) is refused with the file and the field",
  async (_what, file, damage, says) => {
    const data = home();
    await skein(["init", "--data", data]);
    const path = join(data, file);
    const whole = readFileSync(path, "utf8");
    writeFileSync(path, damage(whole));
    const error = await readHome(data).catch((e: Error) => e);
    expect(error).toMatchObject({ code: "BAD_REQUEST" });
    expect((error as Error).message).toContain(path);
    expect((error as Error).message).toContain(says);
    const secret = /"fleetSecret": "(\w{64})"/.exec(whole)?.[1];
    if (secret) expect((error as Error).message).not.toContain(secret);
  },
);

test("a folder without a fleet says how to make one", async () => {
  const { code, err } = await skein(["start", "--data", home()]);
  expect(code).toBe(4);
  expect(err).toContain("skein init");
  expect(err).toContain("skein join");
});

const invite = (more: object): string =>
  encodeInvite({
    inviteId: "inv-1" as InviteId,
    secret: "s",
    fleetName: "house",
    addresses: ["/ip4/127.0.0.1/tcp/9/p2p/12D3KooWGQmdpbHWZWGjyKJ4kWHXGJjMdJkDYFdBDE5nJq8QV5vL"],
    expiresAtMs: Date.now() + 60_000,
    ...more,
  });

test.each([
  ["damaged", "skein1-!!!!", "damaged or incomplete"],
  ["of something else", "tskey-auth-abc", "damaged or incomplete"],
  ["cut off", invite({}).slice(0, -20), "damaged or incomplete"],
])("a token %s is refused before anyone is called", async (_what, token, says) => {
  const data = home();
  const { code, err } = await skein(["join", token, "--data", data]);
  expect(code).toBe(6);
  expect(err).toContain(says);
  expect(existsSync(data)).toBe(false);
});

test("a join that nobody answers keeps the box's key for the next try, and founds nothing", async () => {
  const data = home();
  const join1 = await skein(["join", invite({}), "--data", data]);
  expect(join1.code).toBe(1);
  expect(join1.err).toContain("cannot be reached");
  const key = readFileSync(join(data, "identity.key"));
  expect(existsSync(join(data, "fleet.json"))).toBe(false);
  await skein(["join", invite({}), "--data", data]);
  expect(readFileSync(join(data, "identity.key"))).toEqual(key);
});

test("an old invitation that nobody answers is told by its age, which only this box's clock says", async () => {
  const { code, err } = await skein(["join", invite({ expiresAtMs: 1_600_000_000_000 }), "--data", home()]);
  expect(code).toBe(6);
  expect(err).toContain("it expired at 2020-09-13");
});

test("an API beyond loopback gets a token, the one given or one made for it, told once", async () => {
  const made = home();
  const { out } = await skein(["init", "--api-host", "0.0.0.0", "--data", made]);
  const { token } = (await readHome(made)).config.api;
  expect(token).toMatch(/^[0-9a-f]{32}$/);
  expect(out).toContain(token);
  const given = home();
  await skein(["init", "--api-host", "192.168.1.5", "--token", "mine", "--data", given]);
  expect((await readHome(given)).config.api.token).toBe("mine");
  const none = home();
  await skein(["init", "--data", none]);
  expect((await readHome(none)).config.api.token).toBeUndefined();
});

test("a box tells where it can be dialled: its named addresses, or all but loopback", () => {
  expect(ownAddresses(["192.168.1.5"], 7400)).toEqual(["/ip4/192.168.1.5/tcp/7400"]);
  expect(ownAddresses(["fd00::5"], 7400)).toEqual(["/ip6/fd00::5/tcp/7400"]);
  for (const address of ownAddresses(["0.0.0.0"], 7400))
    expect(address).toMatch(/^\/ip4\/(?!127\.|0\.)[\d.]+\/tcp\/7400$/);
});

test("a run file names a living agent, and a dead one's is as good as none", async () => {
  const data = home();
  await claimRunFile(data);
  await publishRunFile(data, "http://127.0.0.1:7401");
  expect(await readRunFile(data)).toMatchObject({ pid: process.pid, apiUrl: "http://127.0.0.1:7401" });
  await expect(claimRunFile(data)).rejects.toMatchObject({ code: "AGENT_RUNNING", facts: { pid: process.pid } });
  const path = join(data, "agent.run.json");
  // The same pid, but of another boot: a box that was unplugged leaves this behind.
  const stale = { ...JSON.parse(readFileSync(path, "utf8")), processMark: "another-boot:12" };
  writeFileSync(path, JSON.stringify(stale));
  expect(await readRunFile(data)).toBeUndefined();
  await claimRunFile(data);
  await removeRunFile(data);
  expect(readdirSync(data)).toEqual([]);
});

test("of two agents that start at once on one folder, one is told", async () => {
  const data = home();
  const claims = await Promise.allSettled([claimRunFile(data), claimRunFile(data)]);
  expect(claims.map((claim) => claim.status).sort()).toEqual(["fulfilled", "rejected"]);
});

test.skipIf(process.platform !== "linux")("a process is told from a later one with its pid", () => {
  expect(processMark(process.pid)).toMatch(/^[0-9a-f-]{36}:\d+$/);
  expect(processMark(process.pid)).not.toBe(processMark(1));
  expect(processMark(2 ** 22 + 1)).toBeUndefined();
});
