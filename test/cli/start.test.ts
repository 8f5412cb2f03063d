import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { stopWish } from "../../agent/cli/stop-wish.ts";
import { pretendWorld, skein } from "../support/pretend-world.ts";
import { fillDisk, smallDisk } from "../support/small-disk.ts";
import { temporaryFolder } from "../support/temporary.ts";

const LAUNCHER = fileURLToPath(new URL("../../agent/cli/skein.js", import.meta.url));
const started: ChildProcess[] = [];
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
});

async function aHome(folder: string = temporaryFolder()): Promise<string> {
  const data = join(folder, "data");
  const setup = "--name attic --port 0 --api-port 0 --host 127.0.0.1 --no-beacon --executors 1".split(" ");
  expect((await skein(["init", ...setup, "--data", data])).code).toBe(0);
  return data;
}

async function startOn(data: string, ...alsoSays: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [LAUNCHER, "start", "--data", data, "--log-level", "warn"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  started.push(child);
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    said += chunk;
  });
  await vi.waitFor(() => expect(said).toContain("Dashboard: http://127.0.0.1:"), { timeout: 20_000, interval: 50 });
  for (const words of alsoSays) expect(said).toContain(words);
  return child;
}

test("an agent starts without a profile that is broken and says so; a probe beside it leaves the disk to it", async () => {
  const data = await aHome();
  mkdirSync(join(data, "profiles"));
  writeFileSync(join(data, "profiles", "attic.json"), "{ torn");
  await startOn(data, '"profileRefused"', join(data, "profiles", "attic.json"));
  const { code, out, err } = await skein(["probe", "--json", "--data", data]);
  expect([code, err]).toEqual([0, ""]);
  expect(JSON.parse(out)).toMatchObject({ links: [], profilesRefused: [{ reason: expect.stringContaining("JSON") }] });
});

test("an agent runs on its folder until it is asked to stop, is found by it, and bears no second one", async () => {
  const data = await aHome();
  const agent = await startOn(data);
  const runFile = JSON.parse(readFileSync(join(data, "agent.run.json"), "utf8")) as { pid: number; apiUrl: string };
  expect(runFile.pid).toBe(agent.pid);
  await vi.waitFor(async () => expect((await skein(["status", "--data", data])).out).toContain("leader     attic"), {
    timeout: 20_000,
    interval: 100,
  });
  const second = await skein(["start", "--data", data]);
  expect(second.code).toBe(4);
  expect(second.err).toContain(`process ${agent.pid}`);
  const exited = once(agent, "exit");
  agent.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
  expect(existsSync(join(data, "agent.run.json"))).toBe(false);
  expect((await skein(["status", "--api", runFile.apiUrl])).code).toBe(4);
});

test("an agent that was killed is started again on the folder it left behind, and stops by `skein stop`", async () => {
  const data = await aHome();
  const first = await startOn(data);
  const killed = once(first, "exit");
  first.kill("SIGKILL");
  await killed;
  expect(existsSync(join(data, "agent.run.json"))).toBe(true);
  const second = await startOn(data);
  const exited = once(second, "exit");
  const stop = await skein(["stop", "--data", data]);
  expect([stop.code, stop.out]).toEqual([0, "The agent has stopped.\n"]);
  expect(await exited).toEqual([0, null]);
});

test("one Ctrl-C that comes twice is one wish; a second one, a moment later, ends the process at once", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const world = pretendWorld();
  const wish = stopWish(world);
  world.interrupt();
  expect(await wish.wished).toBe("SIGINT");
  vi.advanceTimersByTime(20);
  world.interrupt();
  expect(world.exited).toBeUndefined();
  vi.advanceTimersByTime(1_000);
  world.interrupt();
  expect(world.exited).toBe(130);
  wish.quit();
  expect(world.listening).toBe(0);
});

test("a start on a full disk says that the disk is full", async (context) => {
  const disk = await smallDisk(8);
  if ("reason" in disk) return context.skip(disk.reason);
  const data = await aHome(disk.path);
  await fillDisk(disk.path, 0);
  const { code, err } = await skein(["start", "--data", data]);
  expect([code, err]).toEqual([1, expect.stringMatching(/^skein: The disk under .* is full/)]);
});
