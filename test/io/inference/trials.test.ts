import { readFileSync, truncateSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { getPriority } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { createTrials } from "../../../agent/io/inference/index.ts";
import { countEnergy } from "../../../agent/io/inference/trials/energy.ts";
import type { GraphFile } from "../../../agent/ports/index.ts";
import { alikeOutputs } from "../../../shared/alike-outputs.ts";
import { SkeinError } from "../../../shared/errors.ts";
import { plainChoice } from "../../../shared/session-choice.ts";
import * as hard from "../../support/hard-graphs.ts";
import { foreignGraph, graphFiles, identityGraph, perceptronGraph, writeModel } from "../../support/onnx.ts";
import { temporaryFolder } from "../../support/temporary.ts";

// Trials run below everything else on the machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const MB = 1e6;
const limits = { memoryBytesMax: 300 * MB, deadlineMs: 60_000 };
const trials = createTrials();
afterAll(() => trials.close());

const path = "model.onnx";

async function written(bytes: Uint8Array): Promise<GraphFile> {
  const folder = temporaryFolder();
  await writeFile(join(folder, path), bytes);
  return { folder, path };
}

const refusalOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "accepted",
    (error: unknown) => {
      expect(error).toBeInstanceOf(SkeinError);
      const { code, facts } = error as SkeinError;
      return `${code} ${facts.model}: ${facts.reason}`;
    },
  );

const examined = async (bytes: Uint8Array, given = limits): Promise<string> =>
  refusalOf(trials.examine(await written(bytes), given));

describe("a graph nobody vouched for", () => {
  test("that is sound is told by its inputs and outputs, and that its rows may be run together", async () => {
    const folder = temporaryFolder();
    const { manifest } = await writeModel(folder, perceptronGraph());
    const { inputs, outputs, batches, shapes, loadMs, memoryPeakBytes } = await trials.examine(
      { folder, path },
      limits,
    );
    expect({ inputs, outputs, batches, shapes }).toEqual({
      inputs: manifest.inputs,
      outputs: manifest.outputs,
      batches: true,
      shapes: { x: [1, 16] },
    });
    expect(loadMs).toBeGreaterThan(0);
    expect(memoryPeakBytes).toBeGreaterThan(0);
    expect(memoryPeakBytes).toBeLessThan(100 * MB);
  });

  test.each(["FP16", "INT64", "BYTES", "BOOL", "UINT8", "FP64"] as const)(
    "of %s runs on made-up rows",
    async (datatype) => {
      const folder = temporaryFolder();
      await writeModel(folder, identityGraph(datatype, [-1, 3]));
      expect(await trials.examine({ folder, path }, limits)).toMatchObject({
        inputs: [{ name: "x", datatype, shape: [-1, 3] }],
        batches: true,
      });
    },
  );

  test("whose weights lie beside it finds them", async () => {
    const folder = temporaryFolder();
    await writeModel(folder, perceptronGraph({ externalFile: "weights.bin" }));
    expect((await trials.examine({ folder, path }, limits)).batches).toBe(true);
  });

  test("that looks up a table gets indices that are in it, and a length for its free dimension", async () => {
    expect(await trials.examine(await written(hard.lookupGraph()), limits)).toMatchObject({
      inputs: [{ name: "ids", datatype: "INT64", shape: [-1, -1] }],
      shapes: { ids: [1, 224] },
      batches: true,
    });
  });

  test("whose rows touch one another is not to be batched, though its first dimension is free", async () => {
    expect((await trials.examine(await written(hard.mixingGraph()), limits)).batches).toBe(false);
  });

  test("whose first dimension is fixed is not to be batched", async () => {
    const folder = temporaryFolder();
    await writeModel(folder, identityGraph("FP32", [1, 3]));
    expect((await trials.examine({ folder, path }, limits)).batches).toBe(false);
  });
});

describe("refused, with the reason", () => {
  test("what is not ONNX, empty, or cut off", async () => {
    expect(await examined(Buffer.from("GIF89a and so on"))).toBe("MODEL_REFUSED model.onnx: it is not an ONNX file");
    expect(await examined(new Uint8Array())).toBe("MODEL_REFUSED model.onnx: the file is empty");
    const whole = graphFiles(perceptronGraph()).get(path)!;
    expect(await examined(whole.subarray(0, whole.length - 100))).toMatch(
      new RegExp(`^MODEL_REFUSED model.onnx: it was cut off: it has ${whole.length - 100} of at least \\d+ bytes$`),
    );
    const folder = temporaryFolder();
    expect(await refusalOf(trials.examine({ folder, path }, limits))).toContain("the file is not there");
  });

  test("operators that onnxruntime does not have, by name and domain, and ONNX that it does not know yet", async () => {
    expect(await examined(graphFiles(foreignGraph()).get(path)!)).toContain(
      'it needs the custom operator Conjure of the domain "com.example.magic"',
    );
    const unknown = { ...identityGraph("FP32"), nodes: [{ op: "Conjure", inputs: ["x"], outputs: ["y"] }] };
    expect(await examined(graphFiles(unknown).get(path)!)).toContain("it needs the operator Conjure, which ONNX 17");
    expect(await examined(hard.newerGraph())).toContain("written in a newer ONNX");
    expect(await examined(hard.bfloatGraph())).toContain("the type bfloat16");
  });

  test("external data that is not there, or outside the folder", async () => {
    expect(await examined(hard.outsideGraph("weights/part.bin"))).toContain("its external data part.bin is not there");
    expect(await examined(hard.outsideGraph("../../etc/passwd"))).toContain(
      "named ../../etc/passwd, outside its folder",
    );
  });

  test("weights that are larger than the memory it may have, before they are read", async () => {
    const folder = temporaryFolder();
    await writeFile(join(folder, path), hard.outsideGraph("huge.bin"));
    await writeFile(join(folder, "huge.bin"), "");
    truncateSync(join(folder, "huge.bin"), 100e9);
    expect(await refusalOf(trials.examine({ folder, path }, limits))).toMatch(
      /its weights alone are 100000000\d{3} bytes, and it may have 300000000/,
    );
  });

  test("memory that it takes only when it runs: by the kernel's wall at once, else by the watch", async () => {
    expect(await examined(hard.hungryGraph(25e9))).toContain(
      "needs more memory than it may have: 100000 MB for one tensor",
    );
    expect(await examined(hard.hungryGraph(120e6))).toContain("it needs more memory than the 300 MB it may have");
  });

  test("a run that never ends", async () => {
    expect(await examined(hard.endlessGraph(), { ...limits, deadlineMs: 1_500 })).toContain(
      "it was not loaded and run within 1.5 s",
    );
  });

  test("a crash of the process that loads it, by its signal; it was below the agent and the first to be killed", async () => {
    const graph = await written(hard.endlessGraph());
    const examining = refusalOf(trials.examine(graph, limits));
    const pid = await trialPid();
    expect(getPriority(pid)).toBeGreaterThanOrEqual(15);
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8").trim()).toBe("1000");
    process.kill(pid, "SIGSEGV");
    expect(await examining).toContain("it crashed the process that loaded it (SIGSEGV)");
  });

  test("one model; the next is tried as if nothing had been", async () => {
    const both = await Promise.all([
      examined(hard.hungryGraph(25e9)),
      examined(graphFiles(perceptronGraph()).get(path)!),
    ]);
    expect(both[1]).toBe("accepted");
  });
});

/** Of this process's child, once it is a trial that is up. */
async function trialPid(): Promise<number> {
  return vi.waitFor(
    () => {
      const tasks = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ");
      const pid = tasks.map(Number).find((one) => readFileSync(`/proc/${one}/comm`, "utf8").includes("skein-trial"));
      if (!pid || readFileSync(`/proc/${pid}/oom_score_adj`, "utf8").trim() !== "1000") throw new Error("not up yet");
      return pid;
    },
    { timeout: 30_000, interval: 10 },
  );
}

describe("a trial", () => {
  test("tells speed, times, memory and the outputs of the first item, whatever the batch", async () => {
    const folder = temporaryFolder();
    await writeModel(folder, perceptronGraph({ inside: 64, hidden: 256 }));
    const graph = { folder, path };
    const one = await trials.run({ ...limits, graph, choice: plainChoice(1), runMs: 100 });
    const many = await trials.run({ ...limits, graph, choice: { ...plainChoice(2), batch: 8 }, runMs: 100 });
    expect(alikeOutputs(one!.outputs, many!.outputs, 1e-5)).toBe(true);
    expect(one!.outputs).toHaveLength(1);
    expect(one!.outputs[0]).toHaveLength(4);
    for (const outcome of [one!, many!]) {
      for (const figure of [outcome.itemsPerSecond, outcome.runMs, outcome.loadMs, outcome.firstRunMs])
        expect(figure).toBeGreaterThan(0);
      expect(outcome.memoryPeakBytes).toBeGreaterThanOrEqual(outcome.memorySettledBytes);
      expect(outcome.memoryPeakBytes).toBeLessThan(limits.memoryBytesMax);
    }
  });

  test("gives up its place at once when it is told to, and waits for its turn no longer", async () => {
    const graph = await written(hard.endlessGraph());
    const stop = new AbortController();
    const shapes = { x: [1, 2] };
    const running = trials.run({ ...limits, graph, shapes, choice: plainChoice(2), runMs: 60_000 }, stop.signal);
    const waiting = trials.run({ ...limits, graph, shapes, choice: plainChoice(1), runMs: 60_000 }, stop.signal);
    await trialPid();
    stop.abort();
    expect(await Promise.all([running, waiting])).toEqual([undefined, undefined]);
    expect(readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim()).toBe("");
  });

  test("the OCR models are known by name and run", async () => {
    const known = await trials.known();
    expect(known.map(({ name }) => name)).toEqual(["ocr/det", "ocr/rec", "ocr/cls"]);
    const { graph, shapes } = known[2]!;
    const outcome = await trials.run({ ...limits, graph, shapes, choice: plainChoice(1), runMs: 20 });
    expect(outcome!.outputs[0]).toHaveLength(2);
  });
});

test("energy is the difference of the packages' counters, which begin anew; nothing where there are none", async () => {
  const root = temporaryFolder();
  const zone = join(root, "sys/class/powercap/intel-rapl:0");
  await mkdir(zone, { recursive: true });
  await writeFile(join(zone, "max_energy_range_uj"), "100000000\n");
  await writeFile(join(zone, "energy_uj"), "90000000\n");
  const since = await countEnergy(root);
  await writeFile(join(zone, "energy_uj"), "5000000\n");
  expect(await since()).toBeCloseTo(15, 6);
  expect(await (await countEnergy(temporaryFolder()))()).toBeUndefined();
});
