import { describe, expect, test } from "vitest";
import {
  type JobRecord,
  lossesWithout,
  openItems,
  runsAs,
  stagesOf,
  taskParts,
} from "../../../agent/core/ledger/index.ts";
import { toBase64 } from "../../../shared/base64.ts";
import type { FleetId } from "../../../shared/ids.ts";
import type { RecordedResult } from "../../../shared/job.ts";
import type { LedgerEntry } from "../../../shared/ledger-entry.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { JobForm } from "../../../shared/pipeline/compiled.ts";
import { resultStatement, signatureState } from "../../../shared/statement.ts";
import type { ReportedResult } from "../../../shared/wire/results.ts";
import { A, B, blob, job, recorded, result, submitted } from "../../support/nouns.ts";
import { failure, formOf, J, outputOf, over, Staged, segment } from "../../support/staged.ts";

const chain = formOf(segment([-1]), segment([0]), segment([1]));
const diamond = formOf(segment([-1]), segment([0]), segment([0]), segment([1, 2]));
/** A list is made, two segments go over it in step, and its parts are put together. */
const fan = formOf(segment([-1]), segment([0], over(0, 2)), segment([1], over(0, 2)), segment([0, 2]));

test("a staged job has nothing to be done before it is formed, and no result of it is taken", () => {
  const staged = new Staged(chain);
  staged.apply(submitted("k", 2, { staged: true }));
  const k = staged.ledger.jobs.get(job("k"))!;
  expect(openItems(staged.ledger, k)).toEqual([]);
  staged.apply(recorded(result("k", 0)));
  expect(k.recordedCount).toBe(0);
});

test("a job that is not cut is one job with all of its items open, and its tasks have no parts", () => {
  const staged = new Staged({ segments: [{ name: "reading:1", after: [-1], copies: 2, onError: "fail" }] }, 3);
  expect([...staged.open.get(0)!]).toEqual([0, 1, 2]);
  expect([staged.openTasks(0), stagesOf(staged.ledger, staged.job())]).toEqual([["0", "1", "2"], []]);
  expect([taskParts(staged.ledger, staged.job(), 0), runsAs(staged.job())]).toEqual([undefined, "reading:1"]);
  for (const item of ["0", "1", "2"]) staged.record(0, item);
  expect(staged.job().state).toBe("done");
});

test("the first form holds, a second changes nothing", () => {
  const staged = new Staged(chain);
  expect(staged.apply({ kind: "jobFormed", jobId: J, form: diamond })).toMatchObject({ applied: true, events: [] });
  expect(staged.job().form).toEqual(chain);
});

const wide = formOf(...Array.from({ length: 21 }, () => segment([-1])), segment([0]));
test.each<[string, JobForm, number]>([
  ["has no segment", { segments: [] }, 1],
  ["ends in a segment over a list", formOf(segment([-1]), segment([0], over(0))), 1],
  ["takes from what comes later", formOf(segment([1]), segment([-1])), 1],
  ["takes from itself", formOf(segment([-1]), segment([1])), 1],
  ["names what it takes from out of order", formOf(segment([-1]), segment([0, -1])), 1],
  ["takes from nothing", formOf(segment([]), segment([0])), 1],
  ["runs over a list of nobody", formOf(segment([-1]), segment([0], over(7)), segment([1])), 1],
  ["runs over a list of lists", formOf(segment([-1]), segment([0], over(0)), segment([1], over(1)), segment([2])), 1],
  [
    "runs over one list in two ways",
    formOf(segment([-1]), segment([0], over(0, 1)), segment([0], over(0, 2)), segment([2])),
    1,
  ],
  ["wants no copies", formOf(segment([-1], { copies: 0 }), segment([0])), 1],
  ["makes too many tasks", wide, LIMITS.jobItemsMax],
])("a form that %s is refused, and the job can still be formed", (_what, form, items) => {
  const staged = new Staged(chain, 1);
  staged.apply(submitted("k", items, { staged: true }));
  const index = staged.ledger.appliedIndex + 1;
  const outcome = staged.ledger.apply({ kind: "jobFormed", jobId: job("k"), form }, index);
  expect(outcome).toMatchObject({ applied: false, error: { code: "BAD_REQUEST" } });
  expect(staged.apply({ kind: "jobFormed", jobId: job("k"), form: chain })).toMatchObject({ applied: true });
});

test("a job that was not submitted as staged, is unknown or has ended cannot be formed", () => {
  const staged = new Staged(chain);
  staged.apply(submitted("k", 1));
  const form = (jobId: typeof J) => staged.apply({ kind: "jobFormed", jobId, form: chain }).applied;
  expect([form(job("k")), form(job("nobody")), form(staged.job(0).jobId)]).toEqual([false, false, false]);
  staged.apply(submitted("c", 1, { staged: true }));
  staged.apply({ kind: "jobCancelled", jobId: job("c"), reason: "why not", cancelledAtMs: 1 });
  expect(form(job("c"))).toBe(false);
});

test("in a chain an item goes on by itself, and the last segment's results are the job's", () => {
  const staged = new Staged(chain, 2);
  expect([staged.openTasks(0), staged.openTasks(1), staged.openTasks(2)]).toEqual([["0", "1"], [], []]);
  staged.record(0, "1");
  expect([staged.openTasks(0), staged.openTasks(1), staged.openTasks(2)]).toEqual([["0"], ["1"], []]);
  staged.record(1, "1");
  expect(staged.openTasks(2)).toEqual(["1"]);
  staged.record(2, "1");
  expect(staged.job().recordedCount).toBe(1);
  for (const at of [0, 1, 2]) staged.record(at, "0");
  expect([staged.job().state, staged.job(0).state, staged.job(1).state]).toEqual(["done", "done", "done"]);
});

test("what two branches give is waited for", () => {
  const staged = new Staged(diamond);
  staged.record(0, "0");
  staged.record(2, "0");
  expect(staged.openTasks(3)).toEqual([]);
  staged.record(1, "0");
  expect(staged.parts(3, "0")).toEqual([
    { kind: "values", blob: outputOf(1, 0), bytes: 5 },
    { kind: "values", blob: outputOf(2, 0), bytes: 5 },
  ]);
});

test("a task has the item's input among its parts where its segment takes it, and what it is of in its name", () => {
  const staged = new Staged(formOf(segment([-1]), segment([-1, 0], over(0, 2)), segment([1])));
  staged.record(0, "0", { elements: [3] });
  expect(staged.parts(0, "0")).toEqual([{ kind: "item", blob: blob(1_000), bytes: 10 }]);
  expect(staged.parts(1, "0:2-3")).toEqual([
    { kind: "item", blob: blob(1_000), bytes: 10 },
    { kind: "values", blob: outputOf(0, 0), bytes: 5, slice: { sources: ["0.list0"], from: 2, to: 3 } },
  ]);
  expect(staged.job(1).inputs).toEqual([
    { name: "page-0 0-1", blob: blob(1_000), bytes: 10 },
    { name: "page-0 2-2", blob: blob(1_000), bytes: 10 },
  ]);
});

test("a task's name is short enough for a lease, whatever its item is called", () => {
  const staged = new Staged(fan);
  const inputs = [{ name: "🪿".repeat(127), blob: blob(1), bytes: 1 }];
  staged.apply(submitted("k", 1, { staged: true, inputs }));
  staged.apply({ kind: "jobFormed", jobId: job("k"), form: fan });
  staged.apply(recorded(result("k/0", 0, { elements: [3] })));
  const [stage] = stagesOf(staged.ledger, staged.ledger.jobs.get(job("k"))!).slice(1);
  expect(stage!.inputs.map(({ name }) => name)).toEqual([`${"🪿".repeat(125)} 0-1`, `${"🪿".repeat(125)} 2-2`]);
  expect(staged.restored()).toEqual(staged.ledger);
});

test("a list is cut, what runs over it goes on slice by slice, and all of it is put together in its order", () => {
  const staged = new Staged(fan);
  staged.record(0, "0", { elements: [5] });
  expect(staged.openTasks(1)).toEqual(["0:0-2", "0:2-4", "0:4-5"]);
  staged.record(1, "0:4-5");
  expect(staged.openTasks(2)).toEqual(["0:4-5"]);
  expect(staged.parts(2, "0:4-5")).toEqual([{ kind: "values", blob: outputOf(1, 2), bytes: 5 }]);
  staged.record(2, "0:4-5");
  for (const at of [1, 2]) for (const slice of ["0:0-2", "0:2-4"]) staged.record(at, slice);
  expect(staged.openTasks(3)).toEqual(["0"]);
  const places = ["0:0-2", "0:2-4", "0:4-5"].map((slice) => staged.place(2, slice));
  expect(staged.parts(3, "0")).toEqual([
    { kind: "values", blob: outputOf(0, 0), bytes: 5 },
    ...places.map((place) => ({ kind: "values", blob: outputOf(2, place), bytes: 5 })),
  ]);
});

test("of an empty list there is nothing to be done, and what comes behind it is told so", () => {
  const staged = new Staged(fan);
  staged.record(0, "0", { elements: [0] });
  expect([staged.openTasks(1), staged.openTasks(2), staged.openTasks(3)]).toEqual([[], [], ["0"]]);
  expect(staged.parts(3, "0")!.slice(1)).toEqual([{ kind: "gap", segment: "reading:1/2", elements: 0 }]);
});

test("an item that fails in a segment is recorded as failed, with the place; the rest of it is let be, others go on", () => {
  const staged = new Staged(diamond, 2);
  staged.record(0, "0");
  staged.record(0, "1");
  const { events } = staged.fail(1, "0");
  expect(staged.job().results[0]).toMatchObject({
    error: { code: "INPUT_INVALID", facts: { name: "page", segment: "reading:1/1" } },
    node: A,
    holders: [],
  });
  expect(events).toContainEqual({ kind: "tasksClosed", job: staged.job(2), items: [staged.place(2, "0")] });
  expect([staged.openTasks(1), staged.openTasks(2)]).toEqual([["1"], ["1"]]);
  staged.record(2, "0");
  expect(staged.job(2)).toMatchObject({ recordedCount: 0, duplicatesIgnored: 1 });
  for (const at of [1, 2, 3]) staged.record(at, "1");
  expect(staged.job()).toMatchObject({ state: "done", recordedCount: 2, failedCount: 1 });
});

test("where a segment may leave gaps, what fails there is one, as long as what is missing", () => {
  const skip = { onError: "skip" as const };
  const staged = new Staged(
    formOf(segment([-1], skip), segment([-1]), segment([1], { ...over(1, 2), ...skip }), segment([0, 2])),
  );
  staged.fail(0, "0");
  staged.record(1, "0", { elements: [3] });
  staged.fail(2, "0:0-2");
  staged.record(2, "0:2-3");
  expect(staged.parts(3, "0")).toEqual([
    { kind: "gap", segment: "reading:1/0", elements: 1 },
    { kind: "gap", segment: "reading:1/2", elements: 2 },
    { kind: "values", blob: outputOf(2, 1), bytes: 5 },
  ]);
});

test("where what makes a list leaves a gap, nothing runs over it", () => {
  const staged = new Staged(formOf(segment([-1], { onError: "skip" }), segment([0], over(0)), segment([0, 1])));
  staged.fail(0, "0");
  expect([staged.openTasks(1), staged.openTasks(2)]).toEqual([[], ["0"]]);
  expect(staged.parts(2, "0")).toEqual([
    { kind: "gap", segment: "reading:1/0", elements: 1 },
    { kind: "gap", segment: "reading:1/1", elements: 0 },
  ]);
});

test.each<[string, number[] | undefined, number, string]>([
  ["longer than any may be", [LIMITS.fanOutMax + 1], 2, "FANOUT_TOO_LARGE"],
  ["that makes more tasks than a job may have", [60_000], 2, "FANOUT_TOO_LARGE"],
  ["of which it does not tell the length", undefined, 2, "FANOUT_UNSOUND"],
])("an item with a list %s fails, and the others go on", (_what, elements, items, code) => {
  const staged = new Staged(fan, items);
  staged.record(0, "0", elements ? { elements } : {});
  expect(staged.job().results[0]?.error).toMatchObject({ code, facts: { segment: "reading:1/0" } });
  expect(staged.openTasks(1)).toEqual([]);
  staged.record(0, "1", { elements: [1] });
  for (const at of [1, 2]) staged.record(at, "1:0-1");
  staged.record(3, "1");
  expect(staged.job()).toMatchObject({ state: "done", failedCount: 1 });
});

test("what is lost is made again: what waits for it is closed meanwhile, what is recorded stays", () => {
  const staged = new Staged(fan);
  staged.record(0, "0", { elements: [4] });
  staged.record(1, "0:0-2");
  const lost = staged.lose(0, "0");
  expect(lost.events.map(({ kind }) => kind)).toEqual(["resultsLost", "tasksClosed", "tasksOpened"]);
  expect([staged.openTasks(0), staged.openTasks(1), staged.openTasks(2)]).toEqual([["0"], [], ["0:0-2"]]);
  expect(staged.job(0)).toMatchObject({ recordedCount: 0, runsAgain: 1 });
  staged.record(0, "0", { elements: [4], output: blob(77) });
  expect(staged.openTasks(1)).toEqual(["0:2-4"]);
  expect(staged.parts(1, "0:2-4")).toMatchObject([{ blob: blob(77) }]);
});

test("how long a list is that nobody has begun with is not known while it is lost", () => {
  const staged = new Staged(formOf(segment([-1]), segment([-1]), segment([1], over(0)), segment([0, 2])));
  staged.record(0, "0", { elements: [2] });
  staged.lose(0, "0");
  staged.record(1, "0");
  expect(staged.openTasks(2)).toEqual([]);
  staged.record(0, "0", { elements: [1] });
  expect(staged.openTasks(2)).toEqual(["0:0-1"]);
});

test("a list that is made again with another length cannot be gone through", () => {
  const staged = new Staged(fan);
  staged.record(0, "0", { elements: [4] });
  staged.lose(0, "0");
  staged.record(0, "0", { elements: [3] });
  expect(staged.job().results[0]?.error?.code).toBe("FANOUT_UNSOUND");
});

describe("an item that a stage failed carries its task's signature", () => {
  const FLEET = "f1ee7" as FleetId;
  const SIGNATURE = toBase64(new Uint8Array(64).fill(7));
  const kept = { signature: SIGNATURE, madeWith: blob(7) };

  /** What the item's record says was signed, after a snapshot too. */
  function statedBy(staged: Staged): string {
    const result = staged.job().results[0]!;
    expect(staged.restored().jobs.get(J)!.results[0]).toEqual(result);
    expect(result).toMatchObject(kept);
    return new TextDecoder().decode(resultStatement({ fleetId: FLEET, jobId: J, input: result.input }, result));
  }
  const signed = (staged: Staged, at: number, task: ReportedResult): string => {
    const { jobId, inputs } = staged.job(at);
    return new TextDecoder().decode(resultStatement({ fleetId: FLEET, jobId, input: inputs[task.item]!.blob }, task));
  };
  const stateOf = ({ results }: JobRecord, more: Partial<RecordedResult> = {}) =>
    signatureState(
      { fleetId: FLEET, jobId: J, input: results[0]!.input },
      { ...results[0]!, ...more },
      async () => true,
    );

  test("where it failed", async () => {
    const staged = new Staged(fan);
    staged.record(0, "0", { elements: [4] });
    const task = failure({ ...staged.reported(1, staged.place(1, "0:2-4")), ...kept });
    staged.apply(recorded(task));
    expect(statedBy(staged)).toBe(signed(staged, 1, task));
    expect(await stateOf(staged.job())).toBe("valid");
    const other = { code: "INPUT_EMPTY", message: "", facts: {} } as const;
    expect(await stateOf(staged.job(), { error: other }), "it does not pass for another failure").toBe("wrong");
  });

  test("where the leader had the last word, which quotes what was signed, however long the rest is", async () => {
    const staged = new Staged(fan);
    staged.record(0, "0", { elements: [4] });
    const told = failure({ ...staged.reported(1, staged.place(1, "0:2-4")), ...kept });
    const facts = { reported: "BLOB_MISSING", name: "x".repeat(LIMITS.errorFactsBytesMax - 40) };
    const task = { ...told, error: { ...told.error!, code: "STAGE_OUTPUT_LOST" as const, facts } };
    staged.apply(recorded(task));
    expect(staged.job().results[0]!.error!.facts).toEqual({ segment: "reading:1/1", reported: "BLOB_MISSING" });
    expect(statedBy(staged)).toBe(signed(staged, 1, task));
    expect(await stateOf(staged.job())).toBe("valid");
  });

  test("where the item could not go on with what the task gave", async () => {
    const staged = new Staged(fan);
    const task = { ...staged.reported(0, 0), ...kept, elements: [LIMITS.fanOutMax + 1] };
    staged.apply(recorded(task));
    expect(staged.job().results[0]!.error!.code).toBe("FANOUT_TOO_LARGE");
    expect(statedBy(staged)).toBe(signed(staged, 0, task));
    expect(await stateOf(staged.job())).toBe("valid");
  });
});

test("what nothing starts from any more is not made again, nor what failed, nor what is not of a stage", () => {
  const staged = new Staged(formOf(segment([-1]), segment([0], { onError: "skip" }), segment([1]), segment([2])), 2);
  staged.record(0, "0");
  expect(staged.lose(0, "0").events).toHaveLength(3);
  staged.record(0, "0");
  staged.fail(1, "0");
  expect(staged.lose(0, "0").events).toEqual([]);
  expect(staged.lose(1, "0").events).toEqual([]);
  expect(staged.lose(3, "0")).toMatchObject({ applied: false });
  const unknown = { kind: "resultsLost" as const, jobId: job("nobody"), items: [0] };
  expect(staged.apply(unknown)).toMatchObject({ applied: false });
});

test.each<[string, LedgerEntry]>([
  ["cancelled", { kind: "jobCancelled", jobId: J, reason: "why not", cancelledAtMs: 5 }],
  ["expired", { kind: "jobExpired", jobId: J, expiredAtMs: 5 }],
])("what the stages of a job made is let go when it is %s, and nobody calls that a loss", (state, entry) => {
  const staged = new Staged(chain);
  staged.record(0, "0");
  expect(staged.ledger.copiesOf(outputOf(0, 0))).toBe(1);
  const { events } = staged.apply(entry);
  expect(events).toEqual([
    { kind: "jobEnded", job: staged.job() },
    { kind: "stagesLetGo", job: staged.job(), blobs: [outputOf(0, 0)] },
  ]);
  expect(staged.ledger.holdersOf(outputOf(0, 0))).toEqual([]);
  expect(staged.job(0)).toMatchObject({ state, endedAtMs: 5 });
  expect(lossesWithout(staged.ledger, new Set([A])).flatMap(({ results }) => results)).toEqual([]);
  expect(staged.restored()).toEqual(staged.ledger);
});

test("stage jobs pause, go on and are forgotten with their job; nobody has a say in them", () => {
  const staged = new Staged(chain);
  const stage = staged.job(0);
  const paused = staged.apply({ kind: "jobPaused", jobId: J, paused: true });
  expect([stage.state, paused.events.length]).toEqual(["paused", 1]);
  staged.apply({ kind: "jobPaused", jobId: J, paused: false });
  const { jobId } = stage;
  expect(staged.apply({ kind: "jobPaused", jobId, paused: true })).toMatchObject({ applied: false });
  expect(staged.apply({ kind: "jobCancelled", jobId, reason: "", cancelledAtMs: 1 })).toMatchObject({ applied: false });
  expect(staged.apply({ kind: "jobExpired", jobId, expiredAtMs: 1 })).toMatchObject({ applied: false });
  staged.apply({ kind: "jobCancelled", jobId: J, reason: "", cancelledAtMs: 1 });
  staged.apply({ kind: "jobsForgotten", jobIds: [jobId] });
  expect(staged.ledger.jobs.has(jobId)).toBe(true);
  staged.apply({ kind: "jobsForgotten", jobIds: [J] });
  expect(staged.ledger.jobs.size).toBe(0);
});

test("stage jobs are no open jobs of anybody, and their keys are nobody's", () => {
  const staged = new Staged(chain);
  expect(staged.ledger.openJobs()).toEqual([staged.job()]);
  expect(staged.ledger.jobOfKey("")).toBeUndefined();
  expect(staged.job(1)).toMatchObject({ parent: { jobId: J, segment: 1 }, pipeline: "reading:1/1", copies: 1 });
});

test("a box that goes takes its results with it only by a word of the leader", () => {
  const staged = new Staged(chain);
  staged.record(0, "0", { holders: [B] });
  staged.apply({ kind: "nodeRemoved", nodeId: B });
  expect([staged.ledger.holdersOf(outputOf(0, 0)), staged.openTasks(1)]).toEqual([[], ["0"]]);
  staged.lose(0, "0");
  expect([staged.openTasks(0), staged.openTasks(1)]).toEqual([["0"], []]);
});
