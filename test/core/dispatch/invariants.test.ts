import fc from "fast-check";
import { expect, test } from "vitest";
import {
  Dispatch,
  type DispatchEffect,
  type DispatchEvent,
  HEDGE_ALLOWANCE_ITEMS,
  HEDGE_PART,
} from "../../../agent/core/dispatch/index.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { node } from "../../support/nouns.ts";
import { range, silent, worker, X } from "./steps.ts";

const RATES = [4, 2, 1, 0.2];
const FLEET = RATES.map((rate, i) => worker(node("abcd"[i]!), rate));
type Standing = "there" | "silent" | "gone" | "full";

const ACTS = [
  "stand",
  "refuse",
  "lose",
  "fail",
  "kill",
  "delay",
  "report",
  "record",
  "late",
  "pause",
  "tick",
  "open",
  "close",
] as const;
interface Act {
  act: (typeof ACTS)[number];
  who: number;
  standing: Standing;
  pick: number;
  waitMs: number;
}
const anAct: fc.Arbitrary<Act> = fc.record({
  act: fc.constantFrom(...ACTS, "report", "report", "record"),
  who: fc.nat(FLEET.length - 1),
  standing: fc.constantFrom<Standing>("there", "there", "silent", "gone", "full"),
  pick: fc.nat(1_000),
  waitMs: fc.constantFrom(1, 50, 400, 3_000),
});

/** What must hold of every answer, whatever happened, by a model that only remembers who failed and who stands how. */
class Checked {
  readonly dispatch = new Dispatch(1);
  readonly open: Set<number>;
  readonly closed = new Set<number>();
  #next: number;
  readonly failedOn = new Map<number, Set<NodeId>>();
  readonly standing = new Map<NodeId, Standing>(FLEET.map(({ nodeId }) => [nodeId, "there"]));
  paused = false;
  nowMs = 0;

  constructor(items: number) {
    this.open = new Set(range(items));
    this.#next = items;
    this.tellNodes();
    const about = { pipeline: "ocr", priority: "normal" as const, deadlineAtMs: Number.POSITIVE_INFINITY };
    this.step({ kind: "jobOpened", jobId: X, ...about, paused: false, items: range(items) });
  }

  tellNodes(): void {
    const nodes = FLEET.flatMap((one) => {
      const standing = this.standing.get(one.nodeId);
      if (standing === "gone") return [];
      return standing === "silent" ? silent(one) : { ...one, eligible: standing === "there" };
    });
    this.step({ kind: "nodesChanged", nodes });
  }

  step(event: DispatchEvent): void {
    for (const effect of this.dispatch.step(event, this.nowMs)) this.#check(effect);
    this.dispatch.assertSound();
    const job = this.dispatch.table.jobs.get(X);
    if (!job) return;
    for (const item of this.open) {
      const waits = job.waiting.has(item) || job.picky.has(item) || job.restingUntilMs.has(item);
      expect(waits || this.dispatch.table.copiesOf(X, item).length > 0, `item ${item} is somewhere`).toBe(true);
    }
    const budget = HEDGE_PART * job.workSeconds + HEDGE_ALLOWANCE_ITEMS / Math.min(...RATES);
    expect(job.hedgedSeconds).toBeLessThanOrEqual(budget + 1e-6);
  }

  #check(effect: DispatchEffect): void {
    if (effect.kind === "giveUpItem" || effect.kind === "quarantineItem") {
      const { length } = [...(this.failedOn.get(effect.item) ?? [])];
      expect(length, "an item that is given up failed").toBeGreaterThan(0);
      this.open.delete(effect.item);
      this.closed.delete(effect.item);
    }
    if (effect.kind !== "leaseShard") return;
    expect(this.paused, "nothing of a paused job is leased").toBe(false);
    expect(this.standing.get(effect.node), "only nodes that are there get leases").toBe("there");
    expect(effect.items.length).toBeGreaterThan(0);
    for (const item of effect.items) {
      expect(this.open.has(item), "only open items are leased").toBe(true);
      expect(this.failedOn.get(item)?.has(effect.node), "an item does not go where it failed").not.toBe(true);
    }
  }

  pause(paused: boolean): void {
    this.paused = paused;
    this.step({ kind: "jobPaused", jobId: X, paused });
  }

  /** One that was closed, or one that was not there before. */
  reopen(): void {
    const item = [...this.closed][0] ?? this.#next++;
    this.closed.delete(item);
    this.open.add(item);
    this.step({ kind: "itemsOpened", jobId: X, items: [item] });
  }

  close(item: number, isOver: boolean): void {
    if (this.open.delete(item)) this.closed.add(item);
    this.step({ kind: "itemsClosed", jobId: X, items: [item], isOver });
  }

  fail(nodeId: NodeId, item: number, killed: boolean): void {
    if (this.open.has(item) || this.closed.has(item))
      this.failedOn.set(item, (this.failedOn.get(item) ?? new Set()).add(nodeId));
    this.step({ kind: "itemFailed", node: nodeId, jobId: X, item, killed, because: "it broke" });
  }

  record(nodeId: NodeId, item: number): void {
    this.open.delete(item);
    this.closed.delete(item);
    this.step({ kind: "itemsRecorded", jobId: X, items: [item], node: nodeId });
  }

  act({ act, who, standing, pick, waitMs }: Act): void {
    this.nowMs += waitMs;
    const { nodeId } = FLEET[who]!;
    if (act === "tick") this.step({ kind: "ticked" });
    if (act === "pause") this.pause(!this.paused);
    if (act === "stand") {
      this.standing.set(nodeId, standing);
      this.tellNodes();
    }
    if (act === "open") this.reopen();
    if (act === "close") this.close(pick % this.#next, waitMs > 100);
    if (act === "late") this.record(nodeId, pick % 20);
    const shards = this.dispatch.table.shardsOf(nodeId);
    const held = shards[pick % Math.max(1, shards.length)];
    if (!held) return;
    const item = [...held.items][pick % held.items.size]!;
    const about = { node: nodeId, jobId: X, item };
    if (act === "refuse" || act === "lose")
      this.step({ kind: "leaseRefused", shardId: held.shardId, because: "full", unsure: act === "lose" });
    if (act === "fail" || act === "kill") this.fail(nodeId, item, act === "kill");
    if (act === "delay") this.step({ kind: "itemDelayed", ...about, because: "not at hand" });
    if (act === "report") this.step({ kind: "itemReported", ...about, durationMs: 1_000 / RATES[who]! });
    if (act === "record") this.record(nodeId, item);
  }

  /** All is well from now on. */
  end(): void {
    for (const { nodeId } of FLEET) this.standing.set(nodeId, "there");
    this.tellNodes();
    this.pause(false);
    while (this.closed.size > 0) this.reopen();
    for (let turn = 0; this.open.size > 0; turn++) {
      expect(turn, "the job ends").toBeLessThan(200);
      this.nowMs += 40_000;
      this.step({ kind: "ticked" });
      for (const { nodeId } of FLEET)
        for (const held of [...this.dispatch.table.shardsOf(nodeId)])
          for (const item of [...held.items]) {
            this.step({ kind: "itemReported", node: nodeId, jobId: X, item, durationMs: 100 });
            this.record(nodeId, item);
          }
    }
  }
}

test("whatever happens, every open item is somewhere, leases go only where they may, budgets are kept, and the job ends", () => {
  fc.assert(
    fc.property(fc.array(anAct, { maxLength: 80, size: "max" }), fc.integer({ min: 1, max: 40 }), (acts, items) => {
      const checked = new Checked(items);
      for (const act of acts) checked.act(act);
      checked.end();
    }),
    { numRuns: 300 },
  );
});
