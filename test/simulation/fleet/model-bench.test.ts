/** What a box finds out of its models, and when it does: profiles and searches, over pretend trials. */
import { beforeEach, describe, expect, test } from "vitest";
import type { KnownGraph } from "../../../agent/ports/index.ts";
import { Events } from "../../../agent/runtime/events.ts";
import { Bench } from "../../../agent/runtime/models/bench.ts";
import { WatchedEngine } from "../../../agent/runtime/models/watched-engine.ts";
import type { Surroundings } from "../../../agent/runtime/surroundings.ts";
import type { CapacityReport, HardwareFacts } from "../../../shared/capacity.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { NodeView } from "../../../shared/fleet.ts";
import { TIMING } from "../../../shared/limits.ts";
import type { ModelManifest } from "../../../shared/model.ts";
import type { ModelProfile } from "../../../shared/model-profile.ts";
import { plainChoice } from "../../../shared/session-choice.ts";
import { gainOver } from "../../../shared/tuning.ts";
import { blob } from "../../support/nouns.ts";
import { PretendEngine } from "../../support/pretend-engine.ts";
import { PretendNotes } from "../../support/pretend-notes.ts";
import { PretendTrials } from "../../support/pretend-trials.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";
import { PROBED, sha256 } from "./sim-node.ts";

const det: KnownGraph = {
  name: "ocr/det",
  digest: blob(1),
  graph: { folder: "/models/ocr", path: "det.onnx" },
  shapes: { x: [1, 3, 8, 8] },
  batches: true,
};
const file = { path: "model.onnx", blob: blob(2), bytes: 100, use: "graph" } as const;
const manifest: ModelManifest = { name: "tiny", version: 1, files: [file], inputs: [], outputs: [], batches: true };
const tiny = { pipeline: "tiny:1", manifest, folder: "/models/tiny", choice: plainChoice(2) };

/** One box; its notes outlive what is found out on it. */
class Box {
  readonly clock = new VirtualClock();
  readonly notes = new PretendNotes();
  readonly engine = new PretendEngine({ clock: this.clock, executors: 2, secondsPerItem: 0.05 });
  readonly watched = new WatchedEngine(this.engine, this.clock);
  readonly trials = new PretendTrials(this.clock);
  readonly told: string[] = [];
  hardware: HardwareFacts = PROBED.facts;
  nodes: NodeView[] = [];
  itemsQueued = 0;
  isThrottled = false;

  async bench(): Promise<Bench> {
    const telemetry = { log: (_level: string, event: string) => this.told.push(event) };
    const vitals = async () => ({ memoryFreeBytes: 4e9, diskFreeBytes: 1e11, cpuLoad: 0, throttled: this.isThrottled });
    const world = {
      clock: this.clock,
      notes: this.notes.open(),
      engine: this.watched,
      trials: this.trials,
      probe: { vitals },
      telemetry,
      sha256,
    } as unknown as Surroundings;
    const bench = new Bench(world, {
      hardware: this.hardware,
      engine: this.watched,
      events: new Events(this.clock, telemetry),
      itemsQueued: () => this.itemsQueued,
      nodes: () => this.nodes,
      onChange: () => {},
    });
    await bench.load();
    await this.watched.start();
    bench.start();
    return bench;
  }

  async pass(ms: number): Promise<void> {
    await this.clock.runUntil(this.clock.monotonicMs() + ms);
    await this.clock.settle();
  }

  /** An item of real work, from its beginning to its end. */
  async work(pipeline = "ocr"): Promise<void> {
    const done = this.watched.run({ pipeline, name: "item", input: new Uint8Array([1]), deadlineMs: 60_000 });
    await this.pass(100);
    await done;
  }

  /** Batches tried, in their order. */
  batches(): number[] {
    return this.trials.begun.map(({ choice }) => choice.batch);
  }
}

let box: Box;
beforeEach(() => {
  box = new Box();
  box.trials.graphs = [det];
});
const quietMs = TIMING.profileQuietMs + 2 * TIMING.profileLookMs;

describe("a profile", () => {
  test("is measured once the box has been quiet for a while, batch by batch, and kept over a restart", async () => {
    // Batches gain up to four.
    box.trials.speed = ({ choice: { executors, batch } }) => executors * 10 * Math.min(batch, 4);
    const bench = await box.bench();
    expect(bench.profiles()).toEqual([]);
    await box.pass(TIMING.profileQuietMs - TIMING.profileLookMs);
    expect(box.batches()).toEqual([]);
    await box.pass(quietMs);
    expect(box.batches()).toEqual([1, 2, 4, 8, 16, 32]);
    const [profile] = bench.profiles();
    expect(profile).toMatchObject({
      pipeline: "ocr/det",
      digest: det.digest,
      source: "measured",
      loadMs: 50,
      firstRunMs: 20,
      // Of the best batch.
      memoryPeakBytes: 8_000_000,
      memorySettledBytes: 4_000_000,
    });
    expect(profile!.runs.map(({ items, ms }) => [items, ms])).toEqual([
      [1, 100],
      [2, 100],
      [4, 100],
      [8, 200],
      [16, 400],
      [32, 800],
    ]);
    const next = await box.bench();
    expect(next.profiles()).toEqual([profile]);
    await box.pass(quietMs);
    expect(box.batches()).toHaveLength(6);
  });

  test("is given up at the moment at which work comes, and taken up where it was left", async () => {
    const bench = await box.bench();
    await box.pass(TIMING.profileQuietMs + 1_000);
    expect(box.batches()).toEqual([1, 2]);
    await box.work();
    expect([box.trials.stopped, bench.profiles()]).toEqual([1, []]);
    await box.pass(TIMING.profileQuietMs - TIMING.profileLookMs);
    expect(box.batches()).toEqual([1, 2]);
    await box.pass(quietMs);
    expect(box.batches()).toEqual([1, 2, 2, 4, 8, 16, 32]);
    expect(bench.profiles()).toHaveLength(1);
  });

  test("is not measured while items wait, and not while the box is hot", async () => {
    await box.bench();
    box.itemsQueued = 1;
    await box.pass(2 * quietMs);
    box.itemsQueued = 0;
    box.isThrottled = true;
    await box.pass(2 * quietMs);
    expect(box.batches()).toEqual([]);
    box.isThrottled = false;
    await box.pass(quietMs);
    expect(box.batches()).toHaveLength(6);
  });

  test("ends at the batch that is refused or would take long; a model that cannot be run is left alone", async () => {
    const refused = new SkeinError("MODEL_REFUSED", { model: "det.onnx", reason: "it needs more memory" });
    box.trials.speed = ({ choice }) => (choice.batch > 2 ? refused : 10);
    const bench = await box.bench();
    await box.pass(quietMs);
    expect(bench.profiles()[0]!.runs.map(({ items }) => items)).toEqual([1, 2]);

    const other = new Box();
    other.trials.graphs = [det];
    other.trials.speed = () => 1.5;
    const slow = await other.bench();
    await other.pass(quietMs);
    expect(slow.profiles()[0]!.runs.map(({ items }) => items)).toEqual([1, 2]);

    const broken = new Box();
    broken.trials.graphs = [det];
    broken.trials.speed = () => refused;
    const none = await broken.bench();
    await broken.pass(3 * quietMs);
    expect([none.profiles(), broken.batches()]).toEqual([[], [1]]);
    expect(broken.told).toContain("profileFailed");
  });

  test("of another processor or another onnxruntime is measured anew", async () => {
    await box.bench();
    await box.pass(quietMs);
    box.hardware = { ...PROBED.facts, cpuModel: "another" };
    const bench = await box.bench();
    expect(bench.profiles()).toEqual([]);
    await box.pass(quietMs);
    expect(bench.profiles()).toHaveLength(1);
    expect(box.batches()).toHaveLength(12);
  });

  test("is taken from a box of the same class until there is one of its own, and stands for a rate", async () => {
    const measured: ModelProfile = {
      pipeline: "tiny:1",
      digest: sha256(new TextEncoder().encode("x")),
      runs: [{ items: 1, ms: 20 }],
      loadMs: 1,
      firstRunMs: 1,
      memoryPeakBytes: 5,
      memorySettledBytes: 4,
      source: "measured",
    };
    const bench = await box.bench();
    await box.watched.load(tiny);
    const { digest } = bench.profiles()[0] ?? { digest: undefined };
    expect(digest).toBeUndefined();
    const subject = box.watched.loaded()[0]!;
    expect(subject.pipeline).toBe("tiny:1");
    const own = (await import("../../../shared/model.ts")).modelStatement(manifest);
    const report = (hardware: HardwareFacts): NodeView =>
      ({ report: { hardware, profiles: [{ ...measured, digest: sha256(own) }] } as CapacityReport }) as NodeView;
    box.nodes = [report({ ...PROBED.facts, cpuModel: "another" })];
    expect(bench.guess("tiny:1")).toBeUndefined();
    box.nodes.push(report(PROBED.facts));
    expect(bench.profiles()).toEqual([{ ...measured, digest: sha256(own), source: "class" }]);
    expect(bench.guess("tiny:1")).toBe(50);
    await box.pass(3 * quietMs);
    expect(bench.profiles().map(({ pipeline, source }) => [pipeline, source])).toEqual([
      ["ocr/det", "measured"],
      ["tiny:1", "measured"],
    ]);
  });

  test("moves with every real run, and tells how far it was off", async () => {
    box.trials.graphs = [];
    const bench = await box.bench();
    await box.watched.load(tiny);
    await box.pass(2 * quietMs);
    expect(bench.profiles()[0]!.runs[0]!.ms).toBe(100);
    // Real runs take 50 ms: half of what was foreseen.
    await box.work("tiny:1");
    expect(bench.profiles()[0]).toMatchObject({ predictionError: 1 });
    expect(bench.profiles()[0]!.runs[0]!.ms).toBeCloseTo(95);
    for (let run = 0; run < 60; run++) await box.work("tiny:1");
    const corrected = bench.profiles()[0]!;
    expect(corrected.runs[0]!.ms).toBeCloseTo(50, 0);
    expect(corrected.predictionError!).toBeLessThan(0.05);
    expect(corrected.runs[2]!.ms / corrected.runs[0]!.ms).toBeCloseTo(4);
  });
});

describe("a search", () => {
  const quick = { ...plainChoice(2), batch: 4, graphLevel: "layout" } as const;
  const speedOf: PretendTrials["speed"] = ({ choice }) =>
    choice.executors * 10 * (choice.batch === quick.batch ? 2 : 1) * (choice.graphLevel === quick.graphLevel ? 1.2 : 1);

  test("finds what is quickest, puts it to use, keeps it over a restart, and tells each rung", async () => {
    box.trials.graphs = [];
    box.trials.speed = speedOf;
    const bench = await box.bench();
    await box.watched.load(tiny);
    expect(bench.tune("tiny:1", { seconds: 60 })).toMatchObject({ model: "tiny:1", seconds: 60, tolerance: 1e-3 });
    expect(() => bench.tune("tiny:1", {})).toThrow("searches one model at a time");
    await box.pass(120_000);
    const done = bench.tuning("tiny:1");
    expect(done).toMatchObject({ state: "ended", result: { choice: quick, adopted: true } });
    expect(gainOver(done.result!, "before")).toBeCloseTo(2.4);
    expect(gainOver(done.result!, "defaults")).toBeCloseTo(4.8);
    expect(new Set(done.rungs.map(({ stage }) => stage))).toEqual(
      new Set(["reference", "shape", "batch", "fine", "final"]),
    );
    expect(box.watched.loaded()[0]!.choice).toEqual(quick);
    expect(box.engine.pipelines().find(({ name }) => name === "tiny:1")).toMatchObject({ batch: 4 });

    const watched = new WatchedEngine(
      new PretendEngine({ clock: box.clock, executors: 2, secondsPerItem: 1 }),
      box.clock,
    );
    Object.assign(box, { watched });
    await box.bench();
    await watched.load(tiny);
    expect(watched.loaded()[0]!.choice).toEqual(quick);
  });

  test("never runs beside real work: it is ended at once, waits, and goes on with the same trial", async () => {
    box.trials.graphs = [];
    const bench = await box.bench();
    await box.watched.load(tiny);
    const view = bench.tune("tiny:1", { seconds: 30 });
    await box.pass(1_400);
    expect(box.trials.begun.length).toBeGreaterThan(0);
    const before = box.trials.begun.at(-1);
    await box.work();
    expect(box.trials.stopped).toBe(1);
    expect(view.state).toBe("waiting");
    box.itemsQueued = 3;
    const begun = box.trials.begun.length;
    await box.pass(60_000);
    expect([box.trials.begun.length, view.state]).toEqual([begun, "waiting"]);
    box.itemsQueued = 0;
    await box.pass(1_500);
    expect(box.trials.begun.at(begun)?.choice).toEqual(before?.choice);
    await box.pass(90_000);
    expect(view.state).toBe("ended");
  });

  test("of a graph that comes with the agent changes how the executors run it, now and in the next life", async () => {
    box.trials.speed = ({ choice }) => choice.executors * (choice.graphLevel === "extended" ? 20 : 10);
    const bench = await box.bench();
    bench.tune("ocr/det", { seconds: 30 });
    await box.pass(60_000);
    const choice = { ...plainChoice(2), graphLevel: "extended" };
    expect(bench.tuning("ocr/det").result).toMatchObject({ choice, adopted: true });
    expect(box.engine.tuned.get("ocr/det")).toEqual(choice);
    box.engine.tuned.clear();
    await box.bench();
    expect(box.engine.tuned.get("ocr/det")).toEqual(choice);
  });

  test("that gains too little leaves what is in use; one of a model that cannot be run says why", async () => {
    box.trials.speed = ({ choice }) => choice.executors * (choice.graphLevel === "extended" ? 10.2 : 10);
    const bench = await box.bench();
    bench.tune("ocr/det", { seconds: 30 });
    await box.pass(60_000);
    expect(bench.tuning("ocr/det").result?.adopted).toBe(false);
    expect(box.engine.tuned.size).toBe(0);
    box.trials.speed = () => new SkeinError("MODEL_REFUSED", { model: "det.onnx", reason: "it crashed" });
    bench.tune("ocr/det", {});
    await box.pass(10_000);
    expect(bench.tuning("ocr/det")).toMatchObject({ state: "failed", reason: expect.stringContaining("it crashed") });
    expect(() => bench.tune("nobody:1", {})).toThrow("There is no model nobody:1");
  });

  test("that real work leaves no time ends after an hour, and says so", async () => {
    const bench = await box.bench();
    box.itemsQueued = 1;
    bench.tune("ocr/det", { seconds: 10 });
    await box.pass(TIMING.tuneWaitMs + 20_000);
    expect(bench.tuning("ocr/det")).toMatchObject({
      state: "failed",
      reason: expect.stringContaining("did not finish"),
    });
  });
});
