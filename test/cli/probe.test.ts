import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeProbe } from "../../agent/cli/describe-probe.ts";
import { createProbe } from "../../agent/io/probe/index.ts";
import type { BoxView } from "../../shared/box.ts";
import { disagreementsOf } from "../../shared/disagreements.ts";
import { nodeIdOf } from "../core/fleet/reports.ts";
import { writeBoard } from "../io/probe/boards.ts";
import { skein } from "../support/pretend-world.ts";
import { temporaryFolder } from "../support/temporary.ts";

const textOf = async (name: string, more: Partial<BoxView> = {}): Promise<string> => {
  const board = writeBoard(name);
  const box = { ...(await createProbe({ dataDir: tmpdir(), root: board.root, arch: board.arch }).view()), ...more };
  return describeProbe({ ...box, disagreements: disagreementsOf(box) });
};

test("a box is told by its parts, with where each thing was read", async () => {
  const text = await textOf("jetson-nano");
  expect(text).toMatch(/^NVIDIA Jetson Nano Developer Kit: arm64, 4 cores, 4\.2 GB\n/);
  expect(text).toMatch(/^board +model +NVIDIA Jetson Nano Developer Kit +\/proc\/device-tree\/model/m);
  expect(text).toMatch(/^cpu +model +Cortex-A57 +\/proc\/cpuinfo$/m);
  expect(text).toMatch(/^storage +kind +sd +\/sys\/block\/mmcblk0\/device\/type$/m);
  expect(text).toMatch(/^heat, power +temperature +46 C /m);
  expect(text).toMatch(/^ +mode +MAXN +\/var\/lib\/nvpmodel\/status/m);
  expect(text).toMatch(/^Looked for and not there: .*fan\.rpm/m);
});

test("its profile is told with why, what came next, and its figures", async () => {
  const text = await textOf("jetson-nano");
  expect(text).toMatch(/^profile +jetson-nano, priority 100: NVIDIA Jetson Nano$/m);
  expect(text).toMatch(/^ +because the device tree says "NVIDIA Jetson Nano Developer Kit nvidia,p3449/m);
  expect(text).toMatch(/^ +next generic-arm64 \(priority 0\): it stands in for any arm64 machine$/m);
  expect(text).toMatch(/^executors +3; 1 core kept back, at most 4, in 50 % of the memory$/m);
  expect(text).toMatch(/^heat +sheds work from 90 C, slows itself from 98 C; steady load needs a heat sink$/m);
  expect(text).toMatch(/^power +5 V 4 A .*; MAXN 10 W, 5W 5 W; figures are for MAXN$/m);
  expect(text).toMatch(/^wear +sd: at most 10 GB written a day$/m);
  expect(text).toContain("What was measured is what the profile says.");
});

test("where profile and measurement disagree is a table of its own; links and providers are among what was found", async () => {
  const text = await textOf("jetson-nano-5w", {
    providers: [
      { name: "cpu", works: true, reason: "made a session and ran it in 30 ms" },
      { name: "cuda", works: false, reason: "this onnxruntime has no such provider" },
    ],
    links: [{ nodeId: nodeIdOf("b"), name: "bench", state: "up", rttMs: 0.42, bytesPerSecond: 1.1e8, from: "probe" }],
  });
  expect(text).toMatch(/^gpu, npu +provider cpu +works: made a session/m);
  expect(text).toMatch(/^ +provider cuda +does not load: this onnxruntime/m);
  expect(text).toMatch(/^network +link to bench +up, 0\.4 ms, 110 MB\/s +measured by the agent, probe$/m);
  expect(text).toMatch(/^BUT +PROFILE SAYS +FOUND +BECAUSE$/m);
  expect(text).toMatch(/^cores +4 +2 +2 are switched off, as a power mode does$/m);
  expect(text).toMatch(/^power mode +MAXN +5W +the profile's figures are for MAXN: sudo nvpmodel -m 0$/m);
  expect(text).toMatch(/^provider cuda +to be tried +does not load +this onnxruntime has no such provider$/m);
  expect(text).not.toContain("What was measured is what the profile says.");
});

test("a 32-bit box is told that it runs nothing, and what it could be", async () => {
  const text = await textOf("raspberry-pi-zero-2-w-32bit");
  expect(text).toMatch(/^executors +a 32-bit Arm system runs no inference/m);
  expect(text).toMatch(/^ +not raspberry-pi-zero-2-w: .*, but it is for arm64 systems$/m);
  expect(text).toMatch(/^providers +none$/m);
});

test("skein probe looks at this box without an agent, and tells of a profile of one's own that is broken", async () => {
  const dataDir = temporaryFolder();
  mkdirSync(join(dataDir, "profiles"));
  writeFileSync(join(dataDir, "profiles", "attic.json"), '{ "name": "attic", "memoryUsableShare": 60 }');
  const { code, out, err } = await skein(["probe", "--data", dataDir]);
  expect(code).toBe(0);
  expect(err).toContain("Looking at this box");
  expect(out).toMatch(/ provider cpu +works: /);
  expect(out).toMatch(/^ +small write, durable +[\d.]+ ms +measured in the data folder$/m);
  expect(out).toMatch(/^Left out: .*attic\.json: /m);
});

test("skein probe as JSON is what was found, and it makes no data folder where there is none", async () => {
  const dataDir = join(temporaryFolder(), "none");
  const { code, out, err } = await skein(["probe", "--json", "--data", dataDir]);
  expect([code, err]).toEqual([0, ""]);
  expect(JSON.parse(out)).toMatchObject({
    facts: { arch: process.arch },
    profile: { sources: expect.any(Object) },
    others: expect.any(Array),
    profilesRefused: [],
    disagreements: expect.any(Array),
    providers: [expect.objectContaining({ name: "cpu", works: true })],
  });
  expect(existsSync(dataDir)).toBe(false);
});
