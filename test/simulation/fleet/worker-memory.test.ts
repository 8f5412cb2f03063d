/** What a worker notes for its next life, and what that costs. */
import { expect, test } from "vitest";
import type { FinishedTask } from "../../../agent/core/worker/index.ts";
import type { NoteChange } from "../../../agent/ports/index.ts";
import { ResultSigner } from "../../../agent/runtime/proof.ts";
import type { Surroundings } from "../../../agent/runtime/surroundings.ts";
import { WorkerMemory } from "../../../agent/runtime/worker-memory.ts";
import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { NotedRate } from "../../../shared/wire/notes.ts";
import { A, B, blob, job, result, shard } from "../../support/nouns.ts";
import { PretendBlobs } from "../../support/pretend-blobs.ts";
import { PretendEngine } from "../../support/pretend-engine.ts";
import { PretendNotes } from "../../support/pretend-notes.ts";
import { pretendSigner } from "../../support/pretend-signer.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";
import { FLEET, sha256 } from "./sim-node.ts";

const OUTPUT = new TextEncoder().encode("an output");

/** A box whose notes and blobs outlive the memories that are made of it. */
class Box {
  readonly clock = new VirtualClock();
  readonly notes = new PretendNotes();
  readonly blobs = new PretendBlobs();
  /** Of each write that was made. */
  readonly writes: NoteChange[][] = [];
  readonly logged: string[] = [];
  isFull = false;
  nodeId = A;

  memory(): WorkerMemory {
    const notes = this.notes.open();
    const write = async (changes: NoteChange[]): Promise<void> => {
      if (this.isFull) throw new SkeinError("DISK_FULL", { path: "notes", freeBytes: 0 });
      if (changes.length > 0) this.writes.push(changes);
      await notes.write(changes);
    };
    const world = {
      clock: this.clock,
      notes: { ...notes, write },
      blobs: this.blobs.open(),
      signer: pretendSigner(A),
      engine: new PretendEngine({ clock: this.clock, executors: 1, secondsPerItem: 1 }),
      network: { self: this.nodeId },
      telemetry: { log: (_level: string, event: string) => this.logged.push(event) },
      sha256,
    } as unknown as Surroundings;
    return new WorkerMemory(world, new ResultSigner(world, FLEET.fleetId, () => undefined));
  }
}

const finished = (item: number): FinishedTask => {
  const leased = { item, name: `page-${item}`, blob: blob(item), bytes: 10 };
  const lease = {
    term: 1,
    shardId: shard("s"),
    jobId: job("x"),
    pipeline: "ocr",
    items: [leased],
    inputHolders: [],
    copies: 2,
  };
  const made = result("x", item, { output: sha256(OUTPUT), outputBytes: OUTPUT.length });
  return { lease, item: leased, result: { ...made, input: leased.blob, pipeline: "ocr" } };
};
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const none = new Map();

test("what is recorded between two looks is never written down", async () => {
  const box = new Box();
  const memory = box.memory();
  for (const first of range(20))
    await memory.look(
      range(50).map((i) => finished(50 * first + i)),
      none,
    );
  expect(box.writes).toEqual([]);
});

test("what two looks in a row find is noted in one write, once, and taken back in one when it is recorded", async () => {
  const box = new Box();
  box.blobs.keep(sha256(OUTPUT), OUTPUT);
  const memory = box.memory();
  const waiting = range(300).map(finished);
  for (let looks = 0; looks < 5; looks++) await memory.look(waiting, none);
  expect(box.writes.map((changes) => changes.length)).toEqual([300]);
  const remembered = await box.memory().results();
  expect(remembered).toHaveLength(300);
  expect(remembered[0]).toMatchObject({ lease: { items: [{ name: "page-0" }] }, result: { item: 0 } });
  expect(remembered.every(({ result }) => result.signature !== undefined)).toBe(true);
});

test("a later life takes its notes back when they are recorded", async () => {
  const box = new Box();
  box.blobs.keep(sha256(OUTPUT), OUTPUT);
  const waiting = range(3).map(finished);
  const memory = box.memory();
  for (const _ of range(2)) await memory.look(waiting, none);
  const later = box.memory();
  await later.results();
  await later.look(waiting.slice(1), none);
  expect((await box.memory().results()).map(({ result }) => result.item)).toEqual([1, 2]);
});

test("a note is dropped and told if its output is gone, if it is spoiled, or if it is another node's", async () => {
  const box = new Box();
  const memory = box.memory();
  for (const _ of range(2)) await memory.look([finished(0)], none);
  await box.notes.open().write([{ key: "result/job-x/1", value: new Uint8Array([1, 2, 3]) }]);
  expect(await box.memory().results()).toEqual([]);
  expect(box.logged).toEqual(["noteDropped", "noteDropped"]);
  expect(await box.notes.open().list("")).toEqual(new Map());
  box.blobs.keep(sha256(OUTPUT), OUTPUT);
  const moved = box.memory();
  for (const _ of range(2)) await moved.look([finished(0)], none);
  box.nodeId = B;
  expect(await box.memory().results()).toEqual([]);
});

test("no more is noted than the bound, and a full disk is told and tried again", async () => {
  const box = new Box();
  const memory = box.memory();
  const waiting = range(LIMITS.notedResultsMax + 600).map(finished);
  box.isFull = true;
  for (const _ of range(3)) await memory.look(waiting, none);
  expect(box.logged).toEqual(["notesUnwritten", "notesUnwritten"]);
  box.isFull = false;
  for (const _ of range(20)) await memory.look(waiting, none);
  expect(Math.max(...box.writes.map((changes) => changes.length))).toBe(LIMITS.notesPerWriteMax);
  expect((await box.notes.open().list("result/")).size).toBe(LIMITS.notedResultsMax);
});

test("a rate is noted when it is first known, and again only when it has moved and a minute is over", async () => {
  const box = new Box();
  const memory = box.memory();
  const rates = (secondsPerItem: number) =>
    new Map([[blob(1), { executors: 2, secondsPerItem, source: "work" } satisfies NotedRate]]);
  await memory.look([], rates(1));
  await memory.look([], rates(2));
  await box.clock.runUntil(61_000);
  await memory.look([], rates(1.05));
  expect(box.writes).toHaveLength(1);
  await memory.look([], rates(2));
  expect(box.writes).toHaveLength(2);
  expect(await box.memory().rates([blob(1)], 2)).toMatchObject(rates(2));
});

test("a rate of other executors, or of a pipeline that is not here any more, is forgotten", async () => {
  for (const [here, executors] of [
    [[blob(1)], 3],
    [[blob(2)], 2],
  ] as const) {
    const box = new Box();
    await box.memory().look([], new Map([[blob(1), { executors: 2, secondsPerItem: 1, source: "work" }]]));
    expect(await box.memory().rates(here, executors)).toEqual(new Map());
    expect(await box.notes.open().list("")).toEqual(new Map());
  }
});
