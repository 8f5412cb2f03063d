/** Tasks leased ahead of the record of what they start from: whatever comes between, a result is recorded only of what the ledger says. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { openItems, taskOf } from "../../../agent/core/ledger/index.ts";
import { Recorder } from "../../../agent/runtime/recorder.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash, JobId } from "../../../shared/ids.ts";
import type { LedgerEntry } from "../../../shared/ledger-entry.ts";
import type { LeasedItem } from "../../../shared/peer-requests.ts";
import type { JobForm } from "../../../shared/pipeline/compiled.ts";
import { startOf } from "../../../shared/task-start.ts";
import type { ReportedResult } from "../../../shared/wire/results.ts";
import { B, recorded } from "../../support/nouns.ts";
import { failure, formOf, J, over, Staged, segment } from "../../support/staged.ts";
import { sha256 } from "./sim-node.ts";

/** A worker has it. */
interface InHand {
  at: number;
  leased: LeasedItem;
}

const digest = (text: string): BlobHash => sha256(new TextEncoder().encode(text));

/** One leader's recorder over a ledger, the disks of which are at work until they are told to end. */
class Desk {
  readonly staged: Staged;
  readonly recorder: Recorder;
  readonly inHand = new Map<string, InHand>();
  readonly vain: string[] = [];
  /** Of tasks leased ahead: what they were made of. */
  readonly #madeAhead = new Map<ReportedResult, string>();
  readonly #openedAs = new Set<string>();
  /** What was put into entries, and made of something else than the ledger says. */
  readonly unfounded: ReportedResult[] = [];
  #writing: { entry: LedgerEntry; end: PromiseWithResolvers<void> } | undefined;

  constructor(form: JobForm, items = 1) {
    this.staged = new Staged(form, items);
    this.recorder = new Recorder(
      { sha256 },
      {
        term: 1,
        ledger: this.staged.ledger,
        proposer: { propose: (entry) => this.#propose(entry) },
        onExpected: ({ jobId, items: places }) => {
          for (const item of places) this.#lease(jobId, this.recorder.ahead({ jobId, item })!);
        },
        onVain: ({ jobId, items: places }) => {
          for (const place of places) this.#takeBack(jobId, place);
        },
      },
    );
    this.leaseOpen();
  }

  async #propose(entry: LedgerEntry): Promise<never> {
    if (entry.kind === "resultsRecorded") this.unfounded.push(...entry.results.filter((one) => !this.#isFounded(one)));
    this.#writing = { entry, end: Promise.withResolvers() };
    await this.#writing.end.promise;
    return undefined as never;
  }

  /** The ledger opened its task once to start from what it was made of. */
  #isFounded(result: ReportedResult): boolean {
    const made = this.#madeAhead.get(result);
    return made === undefined || this.#openedAs.has(`${result.jobId} ${made}`);
  }

  #lease(jobId: JobId, leased: LeasedItem): void {
    const at = this.#segmentOf(jobId);
    const key = `${at} ${leased.item}`;
    if (!this.inHand.has(key)) this.inHand.set(key, { at, leased });
  }

  #takeBack(jobId: JobId, place: number): void {
    const key = `${this.#segmentOf(jobId)} ${place}`;
    if (this.inHand.delete(key)) this.vain.push(key);
  }

  #segmentOf(jobId: JobId): number {
    return this.staged.form.segments.findIndex((_, at) => this.staged.job(at)?.jobId === jobId);
  }

  /** As a leader does with all that is open. */
  leaseOpen(): void {
    for (const at of this.staged.form.segments.keys()) {
      const job = this.staged.job(at);
      for (const item of openItems(this.staged.ledger, job))
        this.#lease(job.jobId, taskOf(this.staged.ledger, job, item)!);
    }
  }

  /** Made of other bytes it is other bytes. */
  resultOf({ at, leased }: InHand, more: Partial<ReportedResult> = {}): ReportedResult {
    const output = digest(`${at} ${startOf(leased)}`);
    return this.staged.reported(at, leased.item, {
      output,
      elements: [leased.item % 4, (leased.item + 1) % 4],
      ...more,
    });
  }

  /** Its worker has run it. Resolves when that is recorded, or not wanted. */
  report(key: string, wrong: "" | "failed" | "other bytes" = ""): Promise<unknown> {
    const task = this.inHand.get(key)!;
    const plain = this.resultOf(task, wrong === "other bytes" ? { output: digest(`other ${key}`), node: B } : {});
    const result = wrong === "failed" ? failure(plain) : plain;
    if (wrong !== "other bytes") this.inHand.delete(key);
    const { basis } = task.leased;
    if (basis) this.#madeAhead.set(result, startOf(task.leased));
    if (basis && !this.recorder.holds(result, basis)) return Promise.resolve();
    const done = this.recorder.record([result], [basis]);
    done.catch(() => {});
    return done;
  }

  get isWriting(): boolean {
    return this.#writing !== undefined;
  }

  /** What is being written is agreed on. */
  async agree(): Promise<void> {
    const { entry, end } = this.#writing!;
    this.#writing = undefined;
    this.apply(entry);
    end.resolve();
    await this.settle();
  }

  async lose(): Promise<void> {
    const { end } = this.#writing!;
    this.#writing = undefined;
    end.reject(new SkeinError("PROPOSAL_DROPPED", { reason: "the disk is full" }));
    await this.settle();
  }

  /** Whatever else comes into the log. */
  apply(entry: LedgerEntry): void {
    for (const event of this.staged.apply(entry).events.splice(0)) {
      this.recorder.ledgerMoved(event);
      if (event.kind === "tasksOpened")
        for (const item of event.items)
          this.#openedAs.add(`${event.job.jobId} ${startOf(taskOf(this.staged.ledger, event.job, item)!)}`);
      if (event.kind === "jobEnded") this.inHand.clear();
      if (event.kind === "tasksClosed")
        for (const place of event.items) this.inHand.delete(`${this.#segmentOf(event.job.jobId)} ${place}`);
      if (event.kind === "resultsRecorded")
        for (const { item } of event.results) this.inHand.delete(`${this.#segmentOf(event.job.jobId)} ${item}`);
    }
    this.leaseOpen();
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    if (this.staged.job().state === "running") this.leaseOpen();
  }
}

const chain = formOf(segment([-1]), segment([0]), segment([1]));

test("what follows is leased before it is agreed on, and recorded in its turn", async () => {
  const desk = new Desk(chain);
  void desk.report("0 0");
  expect([...desk.inHand.keys()]).toEqual(["1 0"]);
  void desk.report("1 0");
  expect([...desk.inHand.keys()]).toEqual(["2 0"]);
  const last = desk.report("2 0");
  expect(desk.staged.job(0).recordedCount).toBe(0);
  await desk.agree();
  expect([0, 1].map((at) => desk.staged.job(at).recordedCount)).toEqual([1, 0]);
  await desk.agree();
  await desk.agree();
  await last;
  expect(desk.staged.job().state).toBe("done");
});

test("an input that was recorded with other bytes makes what was leased ahead of it vain", async () => {
  const desk = new Desk(chain);
  void desk.report("0 0");
  const vain = desk.report("1 0");
  const other = desk.staged.reported(0, 0, { output: digest("other"), node: B });
  desk.apply(recorded(other));
  await desk.agree();
  await vain;
  expect([desk.staged.job(0).results[0]!.output, desk.staged.job(1).recordedCount]).toEqual([digest("other"), 0]);
  // It has the place that was foretold, and starts from what is recorded.
  expect(desk.inHand.get("1 0")?.leased).toMatchObject({ parts: [{ blob: digest("other") }] });
  expect(desk.inHand.get("1 0")?.leased.basis).toBeUndefined();
  expect(desk.inHand.has("2 0")).toBe(false);
});

test("of two boxes that had one task the first counts, and what follows is made of its bytes", async () => {
  const desk = new Desk(chain);
  void desk.report("0 0", "other bytes");
  void desk.report("0 0");
  expect(desk.inHand.get("1 0")?.leased).toMatchObject({ parts: [{ blob: digest("other 0 0") }] });
  await desk.agree();
  if (desk.isWriting) await desk.agree();
  void desk.report("1 0");
  await desk.agree();
  expect(desk.staged.job(1).recordedCount).toBe(1);
  expect(desk.vain).toEqual([]);
});

test("what could not be recorded takes with it what was leased ahead of it", async () => {
  const desk = new Desk(chain, 2);
  const [first] = [desk.report("0 0"), desk.report("0 1")];
  const ahead = desk.report("1 0");
  await desk.lose();
  await expect(first).rejects.toMatchObject({ code: "PROPOSAL_DROPPED" });
  await desk.agree();
  await ahead;
  expect([desk.staged.job(0).recordedCount, desk.staged.job(1).recordedCount]).toEqual([1, 0]);
  expect([...desk.inHand.keys()].sort()).toEqual(["0 0", "1 0"]);
});

test("the next leader takes over what was leased ahead only where its ledger says the same", async () => {
  const [desk, next] = [new Desk(chain), new Desk(chain)];
  void desk.report("0 0");
  const { basis, item } = desk.inHand.get("1 0")!.leased;
  const place = { jobId: desk.staged.job(1).jobId, item };
  expect([desk.recorder.holds(place, basis!), next.recorder.holds(place, basis!)]).toEqual([true, false]);
  next.apply(recorded(next.staged.reported(0, 0, { output: digest("other") })));
  expect(next.recorder.holds(place, basis!)).toBe(false);
  await desk.agree();
  expect(desk.recorder.holds(place, basis!)).toBe(true);
});

test("what was opened as it was leased ends well, though what it started from is lost meanwhile", async () => {
  const desk = new Desk(chain);
  void desk.report("0 0");
  const ran = desk.inHand.get("1 0")!;
  await desk.agree();
  desk.apply({ kind: "resultsLost", jobId: desk.staged.job(0).jobId, items: [0] });
  desk.inHand.set("1 0", ran);
  void desk.report("1 0");
  await desk.agree();
  expect(desk.staged.job(1).recordedCount).toBe(1);
});

test("a job that ends meanwhile leaves nothing behind", async () => {
  const desk = new Desk(chain);
  void desk.report("0 0");
  const ahead = desk.report("1 0");
  desk.apply({ kind: "jobCancelled", jobId: J, reason: "why not", cancelledAtMs: 1 });
  await desk.agree();
  await ahead;
  expect([desk.isWriting, desk.staged.job(1).recordedCount, desk.inHand.size]).toEqual([false, 0, 0]);
});

const aForm: fc.Arbitrary<JobForm> = fc
  .array(fc.record({ after: fc.nat(63), list: fc.constantFrom(0, 0, 0, 1, 2, 99), gap: fc.boolean() }), {
    minLength: 2,
    maxLength: 6,
    size: "max",
  })
  .map((drawn) => {
    const segments: JobForm["segments"][number][] = [];
    for (const [place, { after, list, gap }] of drawn.entries()) {
      const from = [...new Array(place + 1).keys()].map((one) => one - 1).filter((one) => after & (1 << (one + 1)));
      const maker = Math.floor(list / 2);
      const isOver = place < drawn.length - 1 && maker < place && !segments[maker]!.over;
      const more = isOver ? over(maker, 1 + ((maker + list) % 3), list % 2) : {};
      segments.push(segment(from.length > 0 && !gap ? from : [place - 1], { ...more, onError: gap ? "skip" : "fail" }));
    }
    return formOf(...segments);
  });

const QUIET = ["report", "report", "report", "agree"] as const;
const ROUGH = [...QUIET, "failed", "other bytes", "lost", "unwritten"] as const;

async function act(desk: Desk, what: (typeof ROUGH)[number], pick: number): Promise<void> {
  const keys = [...desk.inHand.keys()].sort();
  const key = keys[pick % Math.max(1, keys.length)];
  if (key && (what === "report" || what === "failed" || what === "other bytes"))
    void desk.report(key, what === "report" ? "" : what);
  if (what === "agree" && desk.isWriting) await desk.agree();
  if (what === "unwritten" && desk.isWriting) await desk.lose();
  const { last } = desk.staged;
  if (what === "lost")
    desk.apply({ kind: "resultsLost", jobId: desk.staged.job(pick % last).jobId, items: [pick % 3] });
  await desk.settle();
}

async function end(desk: Desk): Promise<void> {
  for (let turn = 0; desk.staged.job().state === "running"; turn++) {
    expect(turn, "the job ends").toBeLessThan(2_000);
    const [key] = desk.inHand.keys();
    if (key) await act(desk, "report", 0);
    if (desk.isWriting) await act(desk, "agree", 0);
  }
}

const acts = (of: readonly (typeof ROUGH)[number][]) =>
  fc.array(fc.tuple(fc.constantFrom(...of), fc.nat(1_000)), { maxLength: 60, size: "max" });

test("in whatever order tasks of a job without lists end, what is foretold is what comes", async () => {
  const isPlain = ({ segments }: JobForm): boolean => segments.every((one) => !one.over);
  await fc.assert(
    fc.asyncProperty(aForm.filter(isPlain), fc.integer({ min: 1, max: 3 }), acts(QUIET), async (form, items, some) => {
      const desk = new Desk(form, items);
      for (const [what, pick] of some) await act(desk, what, pick);
      await end(desk);
      expect(desk.unfounded).toEqual([]);
      expect(desk.vain).toEqual([]);
    }),
    { numRuns: 100 },
  );
});

test("whatever is lost, late, failed or recorded otherwise, only what the ledger says is recorded, and the job ends", async () => {
  await fc.assert(
    fc.asyncProperty(aForm, fc.integer({ min: 1, max: 3 }), acts(ROUGH), async (form, items, some) => {
      const desk = new Desk(form, items);
      for (const [what, pick] of some) await act(desk, what, pick);
      await end(desk);
      expect(desk.unfounded).toEqual([]);
    }),
    { numRuns: 150 },
  );
});
