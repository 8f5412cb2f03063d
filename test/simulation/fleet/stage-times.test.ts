/** What a box notes of the times of stages for its next life, and how often. */
import { expect, test } from "vitest";
import { StageTimes } from "../../../agent/runtime/pipelines/stage-times.ts";
import { StageTimesNote } from "../../../agent/runtime/pipelines/stage-times-note.ts";
import type { Surroundings } from "../../../agent/runtime/surroundings.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { CompiledPipeline } from "../../../shared/pipeline/compiled.ts";
import { PretendNotes } from "../../support/pretend-notes.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

class Box {
  readonly clock = new VirtualClock();
  readonly notes = new PretendNotes();
  readonly logged: string[] = [];
  writes = 0;

  async life(executors = 1) {
    const notes = this.notes.open();
    const write = async (...asked: Parameters<typeof notes.write>): Promise<void> => {
      this.writes++;
      await notes.write(...asked);
    };
    const telemetry = { log: (_level: string, event: string) => this.logged.push(event) };
    const world = {
      clock: this.clock,
      notes: { ...notes, list: notes.list.bind(notes), write },
      engine: { executors },
    };
    const times = new StageTimes(() => {});
    const note = new StageTimesNote({ ...world, telemetry } as unknown as Surroundings, times);
    await note.recall();
    return { times, note };
  }

  wait = (ms: number) => this.clock.runUntil(this.clock.monotonicMs() + ms);
}

/** One run of a pipeline's only stage. */
function run(times: StageTimes, reference: string, ms: number): void {
  const stages = [{ inputs: [], over: undefined }];
  const pipeline = { reference, stages } as unknown as CompiledPipeline;
  const segment = { pipeline, stages: [0], from: 0, isWhole: true } as never;
  const outcome = { output: new Uint8Array(), durationMs: ms, stages: [{ stage: 0, runs: 1, ms, outputBytes: 10 }] };
  times.learn(segment, { ...outcome, elements: [] });
}

test("the next life knows what was measured; with other executors it measures anew", async () => {
  const box = new Box();
  const first = await box.life();
  run(first.times, "p:1", 200);
  await first.note.look();
  const expected = [{ pipeline: "p:1", stage: 0, seconds: 0.2, outputBytes: 10 }];
  expect((await box.life()).times.all()).toEqual(expected);
  expect((await box.life(2)).times.all()).toEqual([]);
});

test("they are written once a minute at most, and not for a small change", async () => {
  const box = new Box();
  const { times, note } = await box.life();
  for (let second = 0; second < 300; second++) {
    run(times, "p:1", 100 * 1.01 ** second);
    await note.look();
    await box.wait(1_000);
  }
  expect(box.writes).toBeLessThanOrEqual(5);
  const before = box.writes;
  await box.wait(120_000);
  await note.look();
  await box.wait(120_000);
  await note.look();
  expect(box.writes - before).toBeLessThanOrEqual(1);
});

test("as many as can be told fit in the note, whatever their pipelines are called", async () => {
  const box = new Box();
  const { times, note } = await box.life();
  for (let n = 0; n < LIMITS.stageTimesToldMax + 5; n++)
    run(times, `${`${n}`.padStart(LIMITS.nameBytesMax - 4, "p")}:1`, 100);
  await note.look();
  expect((await box.life()).times.all()).toHaveLength(LIMITS.stageTimesToldMax);
});

test("a note that is none is told of and overwritten", async () => {
  const box = new Box();
  await box.notes.open().write([{ key: "stageTimes", value: new TextEncoder().encode("{") }]);
  const { times, note } = await box.life();
  expect([times.all(), box.logged]).toEqual([[], ["noteDropped"]]);
  run(times, "p:1", 100);
  await note.look();
  expect((await box.life()).times.all()).toHaveLength(1);
});
