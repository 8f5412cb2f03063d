/** A staged job in a ledger, told of by its segments and its items: short words for the tests of stages. */
import {
  isOpenItem,
  type JobRecord,
  Ledger,
  LedgerBuilder,
  type LedgerEvent,
  type LedgerOutcome,
  openItems,
  taskParts,
} from "../../agent/core/ledger/index.ts";
import { type BlobHash, stageJobId } from "../../shared/ids.ts";
import type { LedgerEntry } from "../../shared/ledger-entry.ts";
import type { FormSegment, JobForm } from "../../shared/pipeline/compiled.ts";
import { decodeLedgerEntry, encodeLedgerEntry } from "../../shared/wire/ledger.ts";
import type { ReportedResult } from "../../shared/wire/results.ts";
import { A, B, blob, founded, job, recorded, result, submitted } from "./nouns.ts";

export const J = job("j");

export const segment = (after: number[], more: Partial<FormSegment> = {}): FormSegment => ({
  name: "reading:1/0",
  after,
  copies: 1,
  onError: "fail",
  ...more,
});

export const over = (maker: number, elementsPerTask = 1, list = 0): Pick<FormSegment, "over"> & object => ({
  over: { segment: maker, list, elementsPerTask, sources: [`${maker}.list${list}`] },
});

/** Named by their places. */
export const formOf = (...segments: FormSegment[]): JobForm => ({
  segments: segments.map((one, at) => ({ ...one, name: `reading:1/${at}${at === segments.length - 1 ? "!" : ""}` })),
});

/** One output for each task, so that two that are alike are the same task's. */
export const outputOf = (segmentAt: number, place: number): BlobHash => blob(100_000 * (segmentAt + 1) + place);

export class Staged {
  ledger = new Ledger();
  readonly form: JobForm;
  readonly events: LedgerEvent[] = [];
  /** As a dispatcher knows it, that only hears events. */
  readonly open = new Map<number, Set<number>>();
  readonly last: number;

  constructor(form: JobForm, items = 1) {
    this.form = form;
    this.last = form.segments.length - 1;
    this.apply(founded);
    this.apply({ kind: "inviteIssued", inviteId: "i" as never, secretHash: "h", expiresAtMs: 10 });
    this.apply({ kind: "nodeAdmitted", inviteId: "i" as never, nodeId: B, name: "b", addresses: [], admittedAtMs: 5 });
    this.apply(submitted("j", items, { staged: true, pipeline: "reading:1", deadlineAtMs: 1_000 }));
    this.apply({ kind: "jobFormed", jobId: J, form });
  }

  apply(entry: LedgerEntry): LedgerOutcome {
    const outcome = this.ledger.apply(decodeLedgerEntry(encodeLedgerEntry(entry)), this.ledger.appliedIndex + 1);
    this.ledger.assertSound();
    for (const event of outcome.events) this.#hear(event);
    return outcome;
  }

  #hear(event: LedgerEvent): void {
    this.events.push(event);
    if (event.kind === "jobEnded") this.open.clear();
    if (event.kind !== "tasksOpened" && event.kind !== "tasksClosed" && event.kind !== "resultsRecorded") return;
    const at = event.job.parent?.segment ?? this.last;
    const places = this.open.get(at) ?? new Set();
    this.open.set(at, places);
    if (event.kind === "tasksOpened") for (const place of event.items) places.add(place);
    else if (event.kind === "tasksClosed") for (const place of event.items) places.delete(place);
    else for (const { item } of event.results) places.delete(item);
  }

  job(at: number = this.last): JobRecord {
    return this.ledger.jobs.get(at === this.last ? J : stageJobId(J, at))!;
  }

  /** The tasks that may be leased, by segment: as item, or as item:from-to. */
  openTasks(at: number): string[] {
    return openItems(this.ledger, this.job(at)).map((place) => this.name(at, place));
  }

  name(at: number, place: number): string {
    const task = this.job(at).tasks[place];
    if (!task) return `${place}`;
    return task.slice ? `${task.item}:${task.slice.from}-${task.slice.to}` : `${task.item}`;
  }

  place(at: number, name: string): number {
    return [...this.job(at).inputs.keys()].find((place) => this.name(at, place) === name)!;
  }

  reported(at: number, place: number, more: Partial<ReportedResult> = {}): ReportedResult {
    const output = outputOf(at, place);
    return { ...result("j", place, { output, holders: [A], ...more }), jobId: this.job(at).jobId };
  }

  record(at: number, name: string, more: Partial<ReportedResult> = {}): LedgerOutcome {
    return this.apply(recorded(this.reported(at, this.place(at, name), more)));
  }

  fail(at: number, name: string): LedgerOutcome {
    return this.apply(recorded(failure(this.reported(at, this.place(at, name)))));
  }

  lose(at: number, ...names: string[]): LedgerOutcome {
    return this.apply({
      kind: "resultsLost",
      jobId: this.job(at).jobId,
      items: names.map((name) => this.place(at, name)),
    });
  }

  parts(at: number, name: string) {
    return taskParts(this.ledger, this.job(at), this.place(at, name));
  }

  isOpen(at: number, place: number): boolean {
    return isOpenItem(this.ledger, this.job(at), place);
  }

  /** The ledger, written down and read again. */
  restored(): Ledger {
    const builder = new LedgerBuilder();
    for (const piece of this.ledger.hold().pieces(2_000)) builder.take(piece);
    this.ledger.letGo();
    const ledger = new Ledger();
    ledger.restore(builder.finish(this.ledger.appliedIndex));
    ledger.assertSound();
    return ledger;
  }
}

export function failure({ output: _output, elements: _elements, ...rest }: ReportedResult): ReportedResult {
  return {
    ...rest,
    outputBytes: 0,
    holders: [],
    error: { code: "INPUT_INVALID", message: "it is broken", facts: { name: "page", reason: "broken" } },
  };
}
