/** What is lost, found by what left, against a look at all that is recorded. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { LostResults } from "../../../agent/core/ledger/index.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { A, B } from "../../support/nouns.ts";
import { failure, formOf, outputOf, over, Staged, segment } from "../../support/staged.ts";

const form = formOf(segment([-1]), segment([0], over(0, 2)), segment([1], over(0, 2)), segment([-1]), segment([2, 3]));
const NODES = [A, B];

/** Every recorded task, each time. */
function lostByLookingAtAll(staged: Staged, given: ReadonlySet<NodeId>) {
  const { ledger } = staged;
  return [...new Array(staged.last).keys()].flatMap((at) => {
    const stage = staged.job(at);
    const found = ledger.stagingOf(stage);
    const isLost = (place: number): boolean =>
      found?.staging.isNeeded(at, place) === true &&
      !ledger.holdersOf(stage.results[place]!.output!).some((node) => given.has(node));
    const tasks = [...stage.results.keys()].filter(isLost);
    return tasks.length > 0 ? [{ stage: stage.jobId, tasks }] : [];
  });
}

const anAct = fc.record({
  act: fc.constantFrom(
    "record",
    "record",
    "record",
    "fail",
    "drop",
    "add",
    "leave",
    "come",
    "make again",
    "remove" as const,
  ),
  pick: fc.nat(10_000),
});

class Run {
  readonly staged = new Staged(form, 2);
  readonly lost: LostResults;
  readonly given = new Set<NodeId>(NODES);
  #heard = 0;

  constructor() {
    this.lost = new LostResults(this.staged.ledger);
  }

  #tasks(isMeant: (at: number, place: number) => boolean): { at: number; place: number }[] {
    return form.segments.flatMap((_, at) =>
      [...this.staged.job(at).inputs.keys()].flatMap((place) => (isMeant(at, place) ? [{ at, place }] : [])),
    );
  }

  act(act: string, pick: number): void {
    const { staged } = this;
    const node = NODES[pick % 2]!;
    const open = this.#tasks((at, place) => staged.isOpen(at, place));
    const one = open[pick % Math.max(1, open.length)];
    if (one && (act === "record" || act === "fail")) {
      const reported = staged.reported(one.at, one.place, { elements: [5], holders: pick % 3 === 0 ? [A, B] : [node] });
      const results = [act === "fail" ? failure(reported) : reported];
      staged.apply({ kind: "resultsRecorded", term: 1, results });
    }
    const made = this.#tasks((at, place) => staged.job(at).results[place] !== undefined);
    const other = made[pick % Math.max(1, made.length)];
    if (other && (act === "drop" || act === "add")) {
      const [added, dropped] = act === "add" ? [[node], []] : [[], [node]];
      staged.apply({ kind: "holdersChanged", changes: [{ blob: outputOf(other.at, other.place), added, dropped }] });
    }
    if (act === "leave") this.given.delete(node);
    if (act === "come") this.given.add(node);
    if (act === "remove" && pick % 5 === 0) staged.apply({ kind: "nodeRemoved", nodeId: B });
    if (act === "make again")
      for (const { stage, tasks } of this.lost.of(staged.job(), this.given))
        staged.apply({ kind: "resultsLost", jobId: stage.jobId, items: tasks });
    for (const event of staged.events.slice(this.#heard)) this.lost.ledgerMoved(event);
    this.#heard = staged.events.length;
  }

  check(): void {
    if (this.staged.job().state !== "running") return;
    const found = this.lost
      .of(this.staged.job(), this.given)
      .map(({ stage, tasks }) => ({ stage: stage.jobId, tasks }));
    expect(found).toEqual(lostByLookingAtAll(this.staged, this.given));
  }
}

test("whatever is recorded, lost and made again, whoever comes and goes: what left tells what is lost", () => {
  const acts = fc.array(anAct, { maxLength: 60, size: "max" });
  fc.assert(
    fc.property(acts, fc.nat(20), (all, blindFor) => {
      const run = new Run();
      for (const [n, { act, pick }] of all.entries()) {
        run.act(act, pick);
        // Whoever begins to lead later has heard nothing of what was before.
        if (n >= blindFor) run.check();
      }
    }),
    { numRuns: 300 },
  );
});

test("looks at nothing that nobody left", () => {
  const staged = new Staged(form, 2);
  staged.record(0, "0", { elements: [5] });
  const lost = new LostResults(staged.ledger);
  expect(lost.of(staged.job(), new Set([A]))).toEqual([]);
  let asked = 0;
  const { holdersOf } = staged.ledger;
  staged.ledger.holdersOf = (blob) => {
    asked++;
    return holdersOf.call(staged.ledger, blob);
  };
  expect(lost.of(staged.job(), new Set([A, B]))).toEqual([]);
  expect(asked).toBe(0);
  expect(lost.of(staged.job(), new Set([B]))).toMatchObject([{ tasks: [0] }]);
  expect(asked).toBe(1);
});

test("counts on a copy that was made later for as long as its holder is there", () => {
  const staged = new Staged(form, 1);
  const lost = new LostResults(staged.ledger);
  staged.record(0, "0", { elements: [5] });
  expect(lost.of(staged.job(), new Set([A]))).toEqual([]);
  const heard = staged.events.length;
  staged.apply({ kind: "holdersChanged", changes: [{ blob: outputOf(0, 0), added: [B], dropped: [] }] });
  for (const event of staged.events.slice(heard)) lost.ledgerMoved(event);
  for (const given of [[A, B], [B]]) expect(lost.of(staged.job(), new Set(given))).toEqual([]);
  expect(lost.of(staged.job(), new Set())).toMatchObject([{ tasks: [0] }]);
});
