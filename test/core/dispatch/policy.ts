/**
 * The dispatch core over pretend workers in pretend time: how long a job takes against the fluid bound, which knows every
 * speed and every fault beforehand and splits items at will. The table of cases is that of the policies' literature.
 */
import { Dispatch, type DispatchEffect, type DispatchNode } from "../../../agent/core/dispatch/index.ts";
import type { NodeId, ShardId } from "../../../shared/ids.ts";
import { TIMING } from "../../../shared/limits.ts";
import { median } from "../../bench/figures.ts";
import { job } from "../../support/nouns.ts";
import { TimeQueue } from "../../support/time-queue.ts";
import { seededRandomness } from "../../support/virtual-clock.ts";

export interface PolicyCase {
  nodes: number;
  items: number;
  /** The fastest over the slowest. */
  speedRange: number;
  /** Spread of what a node is believed to do about what it does (of the logarithm). */
  estimateError: number;
  /** Spread of one item about the mean (of the logarithm). */
  itemSpread: number;
  /** Part of the nodes that becomes this many times slower in the middle of the job. */
  slowed: { part: number; factor: number };
  /** Part of the nodes that dies in the middle of the job. */
  dying: number;
  /** From a lease to its inputs being there; back to the leader takes a quarter. */
  handOverMs: number;
  /** Exactly these boxes, with what is known of each. Default: drawn, as above. */
  boxes?: readonly PolicyBox[];
}

export interface PolicyBox {
  itemsPerSecond: number;
  executors: number;
  /** Of this box; known from its link beforehand. */
  handOverMs: number;
}

export interface PolicyOutcome {
  makespanSeconds: number;
  boundSeconds: number;
  /** Runs beyond one an item, as a part of all items. */
  repeatedPart: number;
  steps: number;
  /** By the median of the nodes' medians: |foretold - real| / real of shards, from lease to last report. */
  predictionError: number;
}

interface PretendWorker {
  node: DispatchNode;
  itemsPerSecond: number;
  handOverMs: number;
  slowAtMs: number;
  slowFactor: number;
  diesAtMs: number;
  queue: { item: number; shardId: ShardId }[];
  running: number;
}

const JOB = job("x");
const TICK_MS = 250;
const RECORD_MS = 10;

export function simulatePolicy(setting: PolicyCase, seed: number): PolicyOutcome {
  return new PolicyWorld(setting, seed).run();
}

class PolicyWorld {
  readonly #setting: PolicyCase;
  readonly #random: () => number;
  readonly #dispatch = new Dispatch(1);
  readonly #queue = new TimeQueue();
  readonly #workers: PretendWorker[];
  /** The dead among them. */
  readonly #everyone: readonly PretendWorker[];
  readonly #left: Set<number>;
  #runs = 0;
  #steps = 0;
  #nowMs = 0;

  constructor(setting: PolicyCase, seed: number) {
    this.#setting = setting;
    const randomness = seededRandomness(seed);
    this.#random = () => randomness.random();
    this.#left = new Set(Array.from({ length: setting.items }, (_, item) => item));
    this.#everyone = this.#makeWorkers();
    this.#workers = [...this.#everyone];
  }

  run(): PolicyOutcome {
    this.#tellNodes();
    const items = [...this.#left];
    const about = { pipeline: "ocr", priority: "normal" as const, deadlineAtMs: Number.POSITIVE_INFINITY };
    this.#step({ kind: "jobOpened", jobId: JOB, ...about, paused: false, items });
    for (const worker of this.#workers) this.#plan(worker);
    this.#tick();
    while (this.#left.size > 0) {
      const next = this.#queue.next();
      if (!next || next.atMs > 1e8) throw new Error(`${this.#left.size} items are left and nothing happens`);
      this.#nowMs = next.atMs;
      next.act();
    }
    const repeatedPart = (this.#runs - this.#setting.items) / this.#setting.items;
    return {
      makespanSeconds: this.#nowMs / 1_000,
      boundSeconds: this.#boundSeconds(),
      repeatedPart,
      steps: this.#steps,
      predictionError: this.#predictionError(),
    };
  }

  #predictionError(): number {
    const errors = this.#everyone.flatMap(({ node }) => this.#dispatch.predictionErrorsOf(node.nodeId));
    return errors.length > 0 ? median(errors.map((error) => error.median)) : 0;
  }

  #makeWorkers(): PretendWorker[] {
    const { nodes, speedRange, estimateError, slowed, dying, items, handOverMs, boxes } = this.#setting;
    if (boxes) return boxes.map(workerOf);
    const speeds = Array.from({ length: nodes }, () => speedRange ** this.#random());
    const expectedMs = (1_000 * items) / speeds.reduce((sum, speed) => sum + speed, 0);
    const midJob = (): number => expectedMs * (0.2 + 0.6 * this.#random());
    return speeds.map((itemsPerSecond, i) => ({
      node: {
        nodeId: `node-${String(i).padStart(2, "0")}` as NodeId,
        name: `node-${i}`,
        executors: 1,
        rates: new Map([["ocr", itemsPerSecond * Math.exp(estimateError * this.#normal())]]),
        eligible: true,
        suspect: false,
      },
      itemsPerSecond,
      handOverMs,
      slowAtMs: i < nodes * slowed.part ? midJob() : Number.POSITIVE_INFINITY,
      slowFactor: slowed.factor,
      diesAtMs: i >= nodes * (1 - dying) ? midJob() : Number.POSITIVE_INFINITY,
      queue: [],
      running: 0,
    }));
  }

  /** By Box and Muller. */
  #normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random());
  }

  /** A dead node is silent: suspect, then gone. */
  #plan(worker: PretendWorker): void {
    if (worker.diesAtMs === Number.POSITIVE_INFINITY) return;
    this.#queue.at(worker.diesAtMs + TIMING.linkSuspectMs, () => {
      worker.node = { ...worker.node, suspect: true, eligible: false };
      this.#tellNodes();
    });
    this.#queue.at(worker.diesAtMs + TIMING.linkDownMs, () => {
      this.#workers.splice(this.#workers.indexOf(worker), 1);
      this.#tellNodes();
    });
  }

  #tick(): void {
    this.#queue.at(this.#nowMs + TICK_MS, () => {
      this.#step({ kind: "ticked" });
      this.#tick();
    });
  }

  #tellNodes(): void {
    this.#step({ kind: "nodesChanged", nodes: this.#workers.map(({ node }) => node) });
  }

  #step(event: Parameters<Dispatch["step"]>[0]): void {
    this.#steps++;
    for (const effect of this.#dispatch.step(event, this.#nowMs)) this.#carryOut(effect);
  }

  #carryOut(effect: DispatchEffect): void {
    if (effect.kind !== "leaseShard" && effect.kind !== "takeBackShard") return;
    const worker = this.#workers.find(({ node }) => node.nodeId === effect.node);
    if (!worker) return;
    const { shardId } = effect;
    if (effect.kind === "takeBackShard")
      this.#queue.at(this.#nowMs + worker.handOverMs / 4, () => {
        worker.queue = worker.queue.filter((one) => one.shardId !== shardId);
      });
    else
      this.#queue.at(this.#nowMs + worker.handOverMs, () => {
        worker.queue.push(...effect.items.map((item) => ({ item, shardId })));
        for (let n = 0; n < worker.node.executors; n++) this.#runNext(worker);
      });
  }

  #runNext(worker: PretendWorker): void {
    if (worker.running >= worker.node.executors || this.#nowMs > worker.diesAtMs) return;
    const next = worker.queue.shift();
    if (!next) return;
    worker.running++;
    this.#runs++;
    const { itemSpread } = this.#setting;
    const usual = Math.exp(itemSpread * this.#normal() - itemSpread ** 2 / 2) / worker.itemsPerSecond;
    const durationMs = 1_000 * worker.node.executors * usual * (this.#nowMs > worker.slowAtMs ? worker.slowFactor : 1);
    this.#queue.at(this.#nowMs + durationMs, () => {
      worker.running--;
      if (this.#nowMs > worker.diesAtMs) return;
      this.#report(worker, next.item, durationMs);
      this.#runNext(worker);
    });
  }

  #report({ node: { nodeId: node }, handOverMs }: PretendWorker, item: number, durationMs: number): void {
    this.#queue.at(this.#nowMs + handOverMs / 4, () => {
      this.#step({ kind: "itemReported", node, jobId: JOB, item, durationMs });
      this.#queue.at(this.#nowMs + RECORD_MS, () => {
        this.#left.delete(item);
        this.#step({ kind: "itemsRecorded", jobId: JOB, items: [item], node });
      });
    });
  }

  /** When all speeds together have done that many items. */
  #boundSeconds(): number {
    const changes = this.#everyone.flatMap(({ slowAtMs, diesAtMs }) => [slowAtMs, diesAtMs]);
    const times = [...new Set(changes.filter(Number.isFinite))].sort((a, b) => a - b);
    let done = 0;
    let fromMs = 0;
    for (const toMs of [...times, Number.POSITIVE_INFINITY]) {
      const speed = this.#everyone.reduce((sum, worker) => sum + speedAt(worker, fromMs), 0);
      const would = done + (speed * (toMs - fromMs)) / 1_000;
      if (would >= this.#setting.items) return fromMs / 1_000 + (this.#setting.items - done) / speed;
      done = would;
      fromMs = toMs;
    }
    throw new Error("every node died");
  }
}

/** Its speed and its hand-over are known as they are. */
const workerOf = ({ itemsPerSecond, executors, handOverMs }: PolicyBox, i: number): PretendWorker => ({
  node: {
    nodeId: `node-${String(i).padStart(2, "0")}` as NodeId,
    name: `node-${i}`,
    executors,
    rates: new Map([["ocr", itemsPerSecond]]),
    eligible: true,
    handOverMs: 1.25 * handOverMs,
    suspect: false,
  },
  itemsPerSecond,
  handOverMs,
  slowAtMs: Number.POSITIVE_INFINITY,
  slowFactor: 1,
  diesAtMs: Number.POSITIVE_INFINITY,
  queue: [],
  running: 0,
});

function speedAt(worker: PretendWorker, atMs: number): number {
  if (atMs >= worker.diesAtMs) return 0;
  return atMs >= worker.slowAtMs ? worker.itemsPerSecond / worker.slowFactor : worker.itemsPerSecond;
}
