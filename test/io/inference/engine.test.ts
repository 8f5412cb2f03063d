import { execFile, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { getPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createInferenceEngine, samplePages } from "../../../agent/io/inference/index.ts";
import type { InferenceEngine, InferenceTask } from "../../../agent/ports/index.ts";
import { readCanaryOutput, writeCanaryInput } from "../../../shared/canary.ts";
import type { SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { readPageText, wordRecall } from "../../../shared/page-text.ts";
import { plainChoice } from "../../../shared/session-choice.ts";
import { EngineWatch, isAlive, samplePiece } from "../../support/executors.ts";
import { whitePng } from "../../support/white-png.ts";

// Executors run below everything else on the machine: beside other suites they get little of it.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

const taskOf = (input: Uint8Array, name = "page"): InferenceTask => ({
  pipeline: "ocr",
  name,
  input,
  deadlineMs: 120_000,
});
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "fine",
    (error: SkeinError) => error.code,
  );

describe("two executors", () => {
  const watch = new EngineWatch();
  const engine: InferenceEngine = createInferenceEngine({ executors: 2 }, { telemetry: watch });
  beforeAll(() => engine.start());
  afterAll(() => engine.stop());

  test("read the bundled pages: at least 95 words of 100 as they stand there, columns and tables in order", async () => {
    const cpuBefore = process.cpuUsage();
    const pages = await Promise.all(
      (await samplePages()).map(async ({ name, path, truth }) => {
        const { output, durationMs } = await engine.run(taskOf(await readFile(path), name));
        return { name, truth, durationMs, text: readPageText(output).text };
      }),
    );
    const { user, system } = process.cpuUsage(cpuBefore);
    expect(pages).toHaveLength(12);
    for (const { name, truth, text } of pages) expect(wordRecall(truth, text), name).toBeGreaterThan(0.9);
    const all = (pick: "truth" | "text"): string => pages.map((page) => page[pick]).join("\n");
    expect(wordRecall(all("truth"), all("text"))).toBeGreaterThanOrEqual(0.95);

    const textOf = (wanted: string): string | undefined => pages.find(({ name }) => name === wanted)?.text;
    expect(textOf("newsletter.png")).toMatch(
      /paths are dry again[\s\S]*the right change\.\nPlot nineteen[\s\S]*leek bed/,
    );
    expect(textOf("timetable.png")).toContain("Hospital 06:21 07:53 09:21 13:36 18:17\nBrickworks 06:27");

    // The agent's own thread must stay free for heartbeats: reading is not done here.
    const readingMs = pages.reduce((sum, { durationMs }) => sum + durationMs, 0);
    expect((user + system) / 1000).toBeLessThan(readingMs / 10);
  });

  test("give the same bytes as one executor, in any order", async () => {
    const inputs = await Promise.all(["invoice.png", "menu.webp", "minutes.jpg", "timetable.png"].map(samplePiece));
    const bytesOf = async (from: InferenceEngine, some: Uint8Array[]): Promise<Buffer[]> =>
      (await Promise.all(some.map((input) => from.run(taskOf(input))))).map(({ output }) => Buffer.from(output));
    const single = createInferenceEngine({ executors: 1 }, { telemetry: new EngineWatch() });
    await single.start();
    try {
      const expected = await bytesOf(single, inputs);
      expect(await bytesOf(engine, inputs)).toEqual(expected);
      expect((await bytesOf(engine, [...inputs].reverse())).reverse()).toEqual(expected);
    } finally {
      await single.stop();
    }
  });

  test("refuse bad images one by one and live on", async () => {
    const before = [...watch.pids];
    const whole = await readFile((await samplePages())[0]!.path);
    const bad: [Uint8Array, string][] = [
      [new Uint8Array(0), "INPUT_EMPTY"],
      [Buffer.from("not an image"), "IMAGE_UNREADABLE"],
      [whole.subarray(0, whole.length - 2_000), "IMAGE_UNREADABLE"],
      [whitePng(20_000, 10_000), "IMAGE_TOO_LARGE"],
      [new Uint8Array(LIMITS.imageBytesMax + 1), "TOO_LARGE"],
    ];
    const codes = await Promise.all(bad.map(([input]) => codeOf(engine.run(taskOf(input)))));
    expect(codes).toEqual(bad.map(([, code]) => code));
    expect(watch.pids).toEqual(before);
  });

  test("read blank paper as an empty page", async () => {
    const page = readPageText((await engine.run(taskOf(whitePng(640, 480)))).output);
    expect(page).toEqual({ version: 1, width: 640, height: 480, text: "", lines: [] });
  });

  test("take an input of many parts unharmed", async () => {
    const noise = sharp({
      create: {
        width: 1600,
        height: 1200,
        channels: 3,
        background: "white",
        noise: { type: "gaussian", mean: 250, sigma: 4 },
      },
    });
    const input = await noise.png({ compressionLevel: 0 }).toBuffer();
    expect(input.length).toBeGreaterThan(5e6);
    const page = readPageText((await engine.run(taskOf(input))).output);
    expect(page).toMatchObject({ width: 1600, height: 1200 });
  });

  test("refuse more than the queue may hold, and answer all that it took", async () => {
    const empty = new Uint8Array(0);
    const taken = Array.from({ length: LIMITS.inferenceQueueMax + 2 }, () => codeOf(engine.run(taskOf(empty))));
    expect(await codeOf(engine.run(taskOf(empty)))).toBe("EXECUTORS_BUSY");
    expect(new Set(await Promise.all(taken))).toEqual(new Set(["INPUT_EMPTY"]));
    expect(await codeOf(engine.run(taskOf(empty)))).toBe("INPUT_EMPTY");
  });

  const canary = (rounds: number, seed: string, deadlineMs = 60_000): InferenceTask => ({
    pipeline: "canary",
    name: seed,
    input: writeCanaryInput({ rounds, seed }),
    deadlineMs,
  });

  test("compute the chain of a canary", async () => {
    const digest = (bytes: string | Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
    const outputs = await Promise.all([0, 1, 3].map((rounds) => engine.run(canary(rounds, "goose"))));
    const digests = outputs.map(({ output }) => readCanaryOutput(output).digest);
    const chain = [digest("goose"), digest(digest("goose")), digest(digest(digest(digest("goose"))))];
    expect(digests).toEqual(chain.map((link) => link.toString("hex")));
  });

  test("are handed short items in groups: each gets its own answer, and one that never ends costs no other", async () => {
    const short = (count: number, of: string) => Array.from({ length: count }, (_, n) => canary(n % 3, `${of}${n}`));
    // From here on the engine knows that canaries are short.
    await Promise.all(short(200, "warm").map((task) => engine.run(task)));
    const endless = canary(LIMITS.canaryRoundsMax, "endless", 400);
    const tasks = [...short(20, "before"), endless, ...short(20, "behind")];
    const codes = await Promise.all(tasks.map((task) => codeOf(engine.run(task))));
    expect(codes.filter((code) => code !== "fine")).toEqual(["DEADLINE_EXCEEDED"]);
    expect(codes[20]).toBe("DEADLINE_EXCEEDED");
  });

  test("run again alone what was in a group when its executor was killed", async () => {
    await Promise.all(Array.from({ length: 300 }, (_, n) => engine.run(canary(0, `warm${n}`))));
    // One for each executor; behind them groups form.
    const blockers = [0, 1].map((n) => engine.run(canary(200, `blocker${n}`)));
    const all = Array.from({ length: 500 }, (_, n) => engine.run(canary(50, `killed${n}`)));
    await Promise.race(blockers);
    // The one that is free again was given its group by now.
    await new Promise((resolve) => setImmediate(resolve));
    const pids = [...watch.pids];
    for (const pid of pids) process.kill(pid, "SIGKILL");
    const digests = (await Promise.all(all)).map(({ output }) => readCanaryOutput(output).digest);
    expect(new Set(digests).size).toBe(500);
    expect(pids.filter(isAlive)).toEqual([]);
    await Promise.allSettled(blockers);
  });

  test("carry their name and a low priority, and do not end by a signal to the whole group", async () => {
    // One that was killed before this may still be on its way back.
    while (watch.pids.length < 2) await watch.next("executorStarted");
    const before = [...watch.pids];
    for (const pid of before) {
      expect(readFileSync(`/proc/${pid}/comm`, "utf8").trim()).toBe("skein-executor");
      expect(getPriority(pid)).toBe(10);
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(pid, signal);
    }
    await Promise.all([1, 2].map(async () => engine.run(taskOf(await samplePiece("invoice.png")))));
    expect(watch.pids).toEqual(before);
  });

  test("inherit nothing of the agent's environment that they do not need", () => {
    const environment = readFileSync(`/proc/${watch.pids[0]}/environ`, "utf8");
    expect(environment).toContain("MALLOC_ARENA_MAX=2");
    expect(environment).not.toMatch(/SKEIN|TOKEN|SECRET|HOME=|VITEST/);
  });
});

test("an executor over its memory budget is replaced after the run, and the result stands", async () => {
  const watch = new EngineWatch();
  const engine = createInferenceEngine({ executors: 1, memoryBytesPerExecutorMax: 1 }, { telemetry: watch });
  await engine.start();
  const input = await samplePiece("invoice.png");
  const ended = watch.next("executorEnded");
  const [first, second] = await Promise.all([engine.run(taskOf(input)), engine.run(taskOf(input))]);
  expect((await ended).facts.reason).toMatch(/over its budget of 1/);
  expect(Buffer.from(second.output)).toEqual(Buffer.from(first.output));
  await engine.stop();
});

test("a frozen executor is ended by the deadline", async () => {
  const watch = new EngineWatch();
  const engine = createInferenceEngine({ executors: 1 }, { telemetry: watch });
  await engine.start();
  const input = await samplePiece("invoice.png");
  const pid = watch.killOne("SIGSTOP");
  expect(await codeOf(engine.run({ ...taskOf(input), deadlineMs: 300 }))).toBe("DEADLINE_EXCEEDED");
  expect(await codeOf(engine.run(taskOf(input)))).toBe("fine");
  expect(isAlive(pid)).toBe(false);
  await engine.stop();
});

test("stopping leaves no process behind", async () => {
  const watch = new EngineWatch();
  const engine = createInferenceEngine({ executors: 2 }, { telemetry: watch });
  await engine.start();
  const pids = [...watch.pids];
  expect(pids).toHaveLength(2);
  await engine.stop();
  expect(pids.filter(isAlive)).toEqual([]);
});

describe.runIf(existsSync("/proc/self/task"))("an agent killed without a word", () => {
  const childrenOf = (pid: number): number[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);

  async function untilGone(pids: number[]): Promise<void> {
    const giveUp = performance.now() + 15_000;
    while (pids.some(isAlive)) {
      if (performance.now() > giveUp) expect.fail(`executors live on: ${pids.filter(isAlive).join(", ")}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  test.each(["at work", "while they start"])("takes its executors with it: %s", async (when) => {
    const parent = fork(fileURLToPath(new URL("../../support/engine-parent.ts", import.meta.url)), ["2"], {
      execArgv: [],
    });
    if (when === "at work") await once(parent, "message");
    else while (childrenOf(parent.pid!).length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const executors = childrenOf(parent.pid!);
    expect(executors).toHaveLength(2);
    parent.kill("SIGKILL");
    await once(parent, "exit");
    await untilGone(executors);
  });
});

test("broken models are said at the start; later they fail what waits, and work goes on once they are mended", async () => {
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  const copy = await mkdtemp(join(tmpdir(), "skein-copy-"));
  try {
    for (const part of ["agent/io/inference", "agent/ports", "agent/samples", "shared"])
      await cp(join(root, part), join(copy, part), { recursive: true });
    await writeFile(join(copy, "package.json"), '{ "type": "module" }');
    await mkdir(join(copy, "node_modules", "@gutenye"), { recursive: true });
    for (const name of ["onnxruntime-node", "sharp"])
      await symlink(join(root, "node_modules", name), join(copy, "node_modules", name));
    const models = join("node_modules", "@gutenye", "ocr-models");
    await cp(join(root, models), join(copy, models), { recursive: true });
    const script = join(root, "test/support/engine-broken-models.ts");
    const { stdout } = await promisify(execFile)(process.execPath, [script, copy]);
    expect(JSON.parse(stdout)).toEqual({
      start: "MODEL_INVALID",
      killed: "EXECUTOR_DIED",
      waiting: "MODEL_INVALID",
      healed: "fine",
    });
  } finally {
    await rm(copy, { recursive: true });
  }
});

test("an engine without executors starts at once, knows no pipeline and says so to whoever asks it to run one", async () => {
  const engine = createInferenceEngine({ executors: 0 }, { telemetry: new EngineWatch() });
  await engine.start();
  expect([engine.executors, engine.pipelines()]).toEqual([0, []]);
  const task = { pipeline: "ocr", name: "a.png", input: new Uint8Array(1), deadlineMs: 1_000 };
  await expect(engine.run(task)).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
  await engine.stop();
});

test("what was found best for a graph is how executors run it from then on: each is replaced, one after the other, and work goes on", async () => {
  const watch = new EngineWatch();
  const engine = createInferenceEngine({ executors: 2 }, { telemetry: watch });
  await engine.start();
  try {
    const before = [...watch.pids];
    const input = await samplePiece("letter.webp");
    const { output } = await engine.run(taskOf(input));
    engine.tune("ocr/rec", { ...plainChoice(2), graphLevel: "extended" });
    const during = engine.run(taskOf(input));
    await vi.waitFor(() => expect(watch.pids.filter((pid) => !before.includes(pid))).toHaveLength(2), {
      timeout: 60_000,
    });
    expect(readPageText((await during).output).text).toBe(readPageText(output).text);
    const environments = watch.pids.map((pid) => readFileSync(`/proc/${pid}/environ`, "utf8"));
    for (const environment of environments) expect(environment).toContain('"ocr/rec":{');
    expect(readPageText((await engine.run(taskOf(input))).output).text).toBe(readPageText(output).text);
    expect(watch.lines.filter(({ event }) => event === "executorStartFailed")).toEqual([]);
  } finally {
    await engine.stop();
  }
});
