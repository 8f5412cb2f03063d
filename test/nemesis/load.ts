/** Clients that write values never written before and read, through every box at once, and a record of what they saw. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../shared/client.ts";
import { type ErrorCode, SkeinError } from "../../shared/errors.ts";
import type { RealAgent } from "../fleet/real-agent.ts";
import { Recorder } from "../linearizability/history.ts";
import { Chance } from "./chance.ts";

/** Shorter than the agents' own: a client that went away while its write was under way is a case of its own. */
const CLIENT_DEADLINE_MS = 3_000;
const CLIENTS_PER_BOX = 3;
const KEYS_AT_ONCE = 4;
/** Mean time between two operations of a client, and after one that failed. */
const PAUSE_MS = 25;
const FAILED_PAUSE_MS = 100;

/** Said before anything was done. Of every other failure of a write nobody knows. */
const REFUSALS: readonly ErrorCode[] = ["NO_QUORUM", "NO_LEADER", "NOT_READY"];

export interface Counts {
  ok: number;
  /** Refused, or a read that failed: nothing was done. */
  failed: number;
  /** Writes of which nobody knows. */
  unknown: number;
  writesOk: number;
  /** The longest time in which no write was acknowledged, and when it ended, since the load began. */
  longestSilenceMs: number;
}

export class Load {
  readonly recorder = new Recorder();
  readonly keys = new Set<string>();
  readonly counts: Counts = { ok: 0, failed: 0, unknown: 0, writesOk: 0, longestSilenceMs: 0 };
  readonly #agents: readonly RealAgent[];
  readonly #seed: number;
  #generation = 0;
  #values = 0;
  #ackAtMs = performance.now();
  #isOver = false;
  #running: Promise<void>[] = [];

  constructor(agents: readonly RealAgent[], seed: number) {
    this.#agents = agents;
    this.#seed = seed;
  }

  start(): void {
    this.#ackAtMs = performance.now();
    this.#running = this.#agents.flatMap((agent, box) =>
      Array.from({ length: CLIENTS_PER_BOX }, (_, n) => this.#client(agent, box * CLIENTS_PER_BOX + n)),
    );
  }

  /** From now on the clients use other keys, so that no key's history grows without end. */
  nextKeys(): void {
    this.#generation++;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
    this.#silence();
  }

  /** One operation of a client of its own; false if it failed. */
  async once(client: Client, process: string, key: string, verb: "get" | "put"): Promise<boolean> {
    this.keys.add(key);
    const value = verb === "put" ? `v${++this.#values}` : undefined;
    this.recorder.invoke(process, verb, key, value);
    try {
      const answer = value === undefined ? await client.setting(key) : await client.settingSet(key, { value });
      this.recorder.ok(process, answer.value);
      this.counts.ok++;
      if (verb === "put") this.#acknowledged();
      return true;
    } catch (error) {
      const isRefusal = verb === "get" || REFUSALS.includes(SkeinError.from(error).code);
      this.recorder.lost(process, isRefusal ? "fail" : "info");
      this.counts[isRefusal ? "failed" : "unknown"]++;
      return false;
    }
  }

  async #client(agent: RealAgent, n: number): Promise<void> {
    const client = agent.clientWith(CLIENT_DEADLINE_MS);
    const chance = new Chance(this.#seed + n);
    while (!this.#isOver) {
      const key = `k${this.#generation}.${Math.floor(chance.between(0, KEYS_AT_ONCE))}`;
      const isDone = await this.once(client, `${n}`, key, chance.random() < 0.5 ? "put" : "get");
      await sleep(isDone ? chance.between(0, 2 * PAUSE_MS) : FAILED_PAUSE_MS);
    }
  }

  #acknowledged(): void {
    this.counts.writesOk++;
    this.#silence();
    this.#ackAtMs = performance.now();
  }

  #silence(): void {
    this.counts.longestSilenceMs = Math.max(this.counts.longestSilenceMs, performance.now() - this.#ackAtMs);
  }
}
