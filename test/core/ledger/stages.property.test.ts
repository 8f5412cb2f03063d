/** The ledger's tasks against a model that works out from scratch, after each entry, what there is to be done. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { openItems, taskParts } from "../../../agent/core/ledger/index.ts";
import type { FormSegment, JobForm } from "../../../shared/pipeline/compiled.ts";
import { recorded } from "../../support/nouns.ts";
import { failure, formOf, over, Staged, segment } from "../../support/staged.ts";

/** By segment, item and slice. */
type Done = Map<string, "given" | "gap">;

/** What a job of this form comes to. Knows nothing of how the ledger keeps it. */
class Model {
  readonly #form: JobForm;
  readonly #items: number;
  readonly lengthOf: (maker: number, item: number, list: number) => number;
  readonly done: Done = new Map();
  readonly ended = new Set<number>();
  /** Slices that were ever open, by list and item: their list is known. */
  readonly #begun = new Set<string>();

  constructor(form: JobForm, items: number, lengthOf: Model["lengthOf"]) {
    this.#form = form;
    this.#items = items;
    this.lengthOf = lengthOf;
  }

  #slices({ over: list }: FormSegment, item: number): number | undefined {
    if (!list) return 1;
    const made = this.done.get(`${list.segment}/${item}/0`);
    if (made === "gap") return 0;
    const isKnown = made === "given" || this.#begun.has(`${list.segment}.${list.list}/${item}`);
    return isKnown ? Math.ceil(this.lengthOf(list.segment, item, list.list) / list.elementsPerTask) : undefined;
  }

  #isThere(before: number, at: number, item: number, slice: number): boolean {
    if (before === -1) return true;
    const [one, other] = [this.#form.segments[before]!, this.#form.segments[at]!];
    const isInStep = one.over && other.over?.segment === one.over.segment && other.over.list === one.over.list;
    if (isInStep) return this.done.has(`${before}/${item}/${slice}`);
    const slices = this.#slices(one, item);
    if (slices === undefined) return false;
    return Array.from({ length: slices }, (_, k) => this.done.has(`${before}/${item}/${k}`)).every(Boolean);
  }

  /** By segment: as `item/slice`. */
  open(): Set<string>[] {
    return this.#form.segments.map((one, at) => {
      const found = new Set<string>();
      for (let item = 0; item < this.#items; item++)
        for (let slice = 0; !this.ended.has(item) && slice < (this.#slices(one, item) ?? 0); slice++) {
          if (this.done.has(`${at}/${item}/${slice}`)) continue;
          if (!one.after.every((before) => this.#isThere(before, at, item, slice))) continue;
          found.add(`${item}/${slice}`);
          if (one.over) this.#begun.add(`${one.over.segment}.${one.over.list}/${item}`);
        }
      return found;
    });
  }

  /** Whether something that is not done takes from it. */
  isNeeded(at: number, item: number, slice: number): boolean {
    if (this.ended.has(item) || this.done.get(`${at}/${item}/${slice}`) !== "given") return false;
    return this.#form.segments.some((other, place) => {
      if (!other.after.includes(at)) return false;
      const mine = this.#form.segments[at]!.over;
      const isInStep = mine && other.over?.segment === mine.segment && other.over.list === mine.list;
      const slices = isInStep ? [slice] : [...new Array(this.#slices(other, item) ?? 1).keys()];
      if (!isInStep && this.#slices(other, item) === undefined) return true;
      return slices.some((k) => !this.done.has(`${place}/${item}/${k}`));
    });
  }
}

const aForm: fc.Arbitrary<JobForm> = fc
  .array(fc.record({ after: fc.nat(63), list: fc.constantFrom(0, 0, 0, 0, 1, 2, 99), gap: fc.boolean() }), {
    minLength: 2,
    maxLength: 7,
    size: "max",
  })
  .map((drawn) => {
    const segments: FormSegment[] = [];
    for (const [place, { after, list, gap }] of drawn.entries()) {
      const from = [...new Array(place + 1).keys()].map((one) => one - 1).filter((one) => after & (1 << (one + 1)));
      const maker = Math.floor(list / 2);
      const isOver = place < drawn.length - 1 && maker < place && !segments[maker]!.over;
      const more = isOver ? over(maker, 1 + ((maker + list) % 3), list % 2) : {};
      // Most go over what the one before them gave.
      const before = from.length > 0 && !gap ? from : [place - 1];
      segments.push(segment(before, { ...more, onError: gap ? "skip" : "fail" }));
    }
    return formOf(...segments);
  });

const ACTS = ["record", "fail", "again", "lose", "restart"] as const;
const anAct = fc.record({ act: fc.constantFrom(...ACTS, "record", "record", "record", "lose"), pick: fc.nat(10_000) });

class Run {
  readonly staged: Staged;
  readonly model: Model;
  readonly #form: JobForm;

  constructor(form: JobForm, items: number, lengthSeed: number) {
    this.#form = form;
    this.staged = new Staged(form, items);
    this.model = new Model(form, items, (maker, item, list) => (lengthSeed + 7 * maker + 3 * item + 5 * list) % 8);
    this.check();
  }

  #sliceOf(at: number, place: number): { item: number; slice: number } {
    const task = this.staged.job(at).tasks[place];
    const { over: list } = this.#form.segments[at]!;
    return task
      ? { item: task.item, slice: list ? task.slice!.from / list.elementsPerTask : 0 }
      : { item: place, slice: 0 };
  }

  #tasks(which: (at: number, place: number) => boolean): { at: number; place: number }[] {
    return this.#form.segments.flatMap((_, at) =>
      [...this.staged.job(at).inputs.keys()].flatMap((place) => (which(at, place) ? [{ at, place }] : [])),
    );
  }

  act({ act, pick }: { act: (typeof ACTS)[number]; pick: number }): void {
    const { staged } = this;
    if (act === "restart") {
      const before = staged.ledger;
      staged.ledger = staged.restored();
      expect(staged.ledger).toEqual(before);
    }
    const open = this.#tasks((at, place) => staged.isOpen(at, place));
    const chosen = open[pick % Math.max(1, open.length)];
    if (chosen && (act === "record" || act === "fail")) this.record(chosen, act === "fail");
    if (act === "again") this.#again(pick);
    if (act === "lose") this.#lose(pick);
    this.check();
  }

  record({ at, place }: { at: number; place: number }, fails: boolean): void {
    const { item, slice } = this.#sliceOf(at, place);
    const isLast = at === this.staged.last;
    const elements = [0, 1].map((list) => this.model.lengthOf(at, item, list));
    const told = this.staged.reported(at, place, { elements });
    this.staged.apply(recorded(fails ? failure(told) : told));
    this.model.done.set(`${at}/${item}/${slice}`, fails ? "gap" : "given");
    // A list that was there and is a gap now cannot be gone through: the ledger says so, and that is told by its record.
    if (isLast || (fails && this.#form.segments[at]!.onError === "fail")) this.model.ended.add(item);
    const error = this.staged.job().results[item]?.error;
    if (error?.code === "FANOUT_UNSOUND") this.model.ended.add(item);
  }

  /** A report that comes twice, or too late. */
  #again(pick: number): void {
    const done = this.#tasks((at, place) => this.staged.job(at).results[place] !== undefined);
    const chosen = done[pick % Math.max(1, done.length)];
    if (!chosen) return;
    const before = this.staged.job(chosen.at).duplicatesIgnored;
    this.staged.apply(recorded(this.staged.reported(chosen.at, chosen.place)));
    if (this.staged.job().state === "running") expect(this.staged.job(chosen.at).duplicatesIgnored).toBe(before + 1);
  }

  /** Of one segment, about half of what is recorded; what nobody needs stays. */
  #lose(pick: number): void {
    const at = pick % this.staged.last;
    const stage = this.staged.job(at);
    const items = [...stage.inputs.keys()].filter((place) => (pick >> (place % 10)) & 1);
    const needed = items.filter((place) => {
      const { item, slice } = this.#sliceOf(at, place);
      return this.model.isNeeded(at, item, slice);
    });
    const before = stage.runsAgain;
    this.staged.apply({ kind: "resultsLost", jobId: stage.jobId, items });
    if (this.staged.job().state !== "running") return;
    expect(this.staged.job(at).runsAgain - before, "only what is needed is made again").toBe(needed.length);
    for (const place of needed) {
      const { item, slice } = this.#sliceOf(at, place);
      this.model.done.delete(`${at}/${item}/${slice}`);
    }
  }

  check(): void {
    const { staged } = this;
    const open = this.model.open();
    if (staged.job().state !== "running") return;
    for (const [at, expected] of open.entries()) {
      const places = openItems(staged.ledger, staged.job(at));
      const told = places.map((place) => this.#sliceOf(at, place)).map(({ item, slice }) => `${item}/${slice}`);
      expect(told.sort(), `what is open of segment ${at}`).toEqual([...expected].sort());
      const heard = [...(staged.open.get(at) ?? [])].sort((a, b) => a - b);
      expect(heard, "events tell the same").toEqual(places);
      for (const place of places) this.#checkParts(at, place);
    }
  }

  #checkParts(at: number, place: number): void {
    const parts = taskParts(this.staged.ledger, this.staged.job(at), place)!;
    expect(parts.length).toBeGreaterThanOrEqual(this.#form.segments[at]!.after.length);
    for (const part of parts)
      if (part.kind !== "gap")
        expect(this.staged.ledger.holdersOf(part.blob).length, "parts are held").toBeGreaterThan(0);
  }

  end(): void {
    for (let turn = 0; this.staged.job().state === "running"; turn++) {
      expect(turn, "the job ends").toBeLessThan(1_000);
      const [next] = this.#tasks((at, place) => this.staged.isOpen(at, place));
      expect(next, "something is open until all is done").toBeDefined();
      this.record(next!, false);
      this.check();
    }
    const ends = this.staged.events.flatMap((event) =>
      event.kind === "resultsRecorded" && !event.job.parent ? event.results.map(({ item }) => item) : [],
    );
    expect(ends.sort(), "every item ends once").toEqual([...this.staged.job().inputs.keys()]);
    const held = new Set(this.staged.job().inputs.map(({ blob }) => blob));
    for (const result of this.staged.job().results) if (result?.output) held.add(result.output);
    expect([...this.staged.ledger.holders.keys()].sort(), "nothing of its stages is kept").toEqual([...held].sort());
  }
}

test("whatever is recorded, repeated, failed or lost, in whatever order: open is what can be done, and the job ends", () => {
  fc.assert(
    fc.property(
      aForm,
      fc.integer({ min: 1, max: 3 }),
      fc.nat(7),
      fc.array(anAct, { maxLength: 60, size: "max" }),
      (form, items, lengthSeed, acts) => {
        const run = new Run(form, items, lengthSeed);
        for (const act of acts) run.act(act);
        run.end();
      },
    ),
    { numRuns: 120 },
  );
});
