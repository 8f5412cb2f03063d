/** Agents that a program started for itself end with it, however it ends. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { processMark, readRunFile } from "../../agent/cli/run-file.ts";
import { cleanEnvironment, runSkein, SKEIN } from "./real-agent.ts";

const PARENT = `
const { spawn } = require("node:child_process");
spawn(process.execPath, process.argv.slice(1), { stdio: ["ignore", "ignore", "ignore", "ipc"] });
`;
const WITHIN_MS = 60_000;

test(
  "an agent started over an IPC channel stops in order when its parent is killed",
  async () => {
    const data = await mkdtemp(join(tmpdir(), "skein-fleet-"));
    onTestFinished(() => rm(data, { recursive: true, force: true }));
    const setup = ["--data", data, "--port", "0", "--host", "127.0.0.1", "--no-beacon", "--api-port", "0"];
    expect(await runSkein(["init", ...setup])).toMatchObject({ exitCode: 0 });
    const parent = spawn(process.execPath, ["-e", PARENT, SKEIN, "start", "--data", data], {
      stdio: "ignore",
      env: cleanEnvironment(),
    });
    await until(async () => (await readRunFile(data))?.apiUrl !== undefined);
    const { pid } = (await readRunFile(data))!;
    const exited = once(parent, "exit");
    parent.kill("SIGKILL");
    await exited;
    await until(async () => processMark(pid) === undefined);
    // An agent that stops in order removes its own file; one that died leaves it behind.
    expect(existsSync(join(data, "agent.run.json"))).toBe(false);
  },
  2 * WITHIN_MS,
);

async function until(holds: () => Promise<boolean>): Promise<void> {
  const endsAtMs = performance.now() + WITHIN_MS;
  while (!(await holds())) {
    if (performance.now() > endsAtMs) throw new Error(`did not come true within ${WITHIN_MS} ms: ${holds}`);
    await sleep(50);
  }
}
