import { invariant, SkeinError } from "../../../shared/errors.ts";
import { checkHistory } from "../../linearizability/check.ts";
import { explain } from "../../linearizability/explain.ts";
import { Recorder } from "../../linearizability/history.ts";
import { seededRandomness } from "../../support/virtual-clock.ts";
import type { SimFleet } from "./sim-fleet.ts";
import type { SimNode } from "./sim-node.ts";

const CLIENTS = 4;
const KEYS = 2;
const PAUSE_MS = 400;
/** In a large fleet they leave time for other things. */
const PAUSE_PER_NODE_MS = 80;
/** A client that waited so long asks another box; what it asked for may still be done. */
const PATIENCE_MS = 4_000;

/** Clients that write and read settings through any box; what they saw must have one order that explains it. */
export class Clients {
  readonly #fleet: SimFleet;
  /** Of their own, so that they do not move the storm's chance. */
  readonly #random: ReturnType<typeof seededRandomness>;
  readonly recorder = new Recorder();
  #values = 0;
  #isOver = false;
  #unexpected: string | undefined;
  answered = 0;

  constructor(fleet: SimFleet) {
    this.#fleet = fleet;
    this.#random = seededRandomness(fleet.seed + 1);
  }

  start(): void {
    for (let client = 0; client < CLIENTS; client++) this.#pause(client);
  }

  /** Reads every key on every box of the healed fleet. @throws if no order explains what was seen */
  async finish(): Promise<void> {
    this.#isOver = true;
    let left = 0;
    for (const node of this.#fleet.nodes)
      for (let key = 0; key < KEYS; key++) {
        left++;
        this.#ask(`end-${node.name}-${key}`, node, key, undefined, () => {
          left--;
        });
      }
    await this.#fleet.until("every box reads", () => left === 0, PATIENCE_MS);
    invariant(!this.#unexpected, `a setting is refused for a reason that may be: ${this.#unexpected}`);
    const verdicts = checkHistory(this.recorder.operations);
    const isSound = verdicts.every(({ verdict }) => verdict === "linearizable");
    invariant(isSound, isSound ? "" : explain(verdicts));
  }

  #pause(client: number): void {
    const pauseMs = Math.max(PAUSE_MS, PAUSE_PER_NODE_MS * this.#fleet.nodes.length);
    this.#fleet.clock.after(2 * pauseMs * this.#random.random(), () => this.#next(client));
  }

  #next(client: number): void {
    if (this.#isOver) return;
    const { nodes } = this.#fleet;
    const node = nodes[Math.floor(nodes.length * this.#random.random())]!;
    const key = Math.floor(KEYS * this.#random.random());
    const value = this.#random.random() < 0.5 ? `v${++this.#values}` : undefined;
    if (node.isUp) this.#ask(`${client}`, node, key, value, () => this.#pause(client));
    else this.#pause(client);
  }

  #ask(client: string, node: SimNode, key: number, value: string | undefined, then: () => void): void {
    const { recorder } = this;
    const agent = node.agent!;
    recorder.invoke(client, value === undefined ? "get" : "put", `k${key}`, value);
    let isSettled = false;
    const settle = (record: () => void): void => {
      if (isSettled) return;
      isSettled = true;
      cancel();
      record();
      then();
    };
    const cancel = this.#fleet.clock.after(PATIENCE_MS, () => settle(() => recorder.lost(client, "info")));
    const asked = value === undefined ? agent.setting(`k${key}`) : agent.setSetting(`k${key}`, value);
    asked.then(
      (answer) =>
        settle(() => {
          this.answered++;
          recorder.ok(client, answer.value);
        }),
      (error: unknown) => {
        const { code } = SkeinError.from(error);
        if (!REFUSALS.includes(code)) this.#unexpected ??= code;
        settle(() => recorder.lost(client, "info"));
      },
    );
  }
}

const REFUSALS = ["NO_QUORUM", "NO_LEADER", "PROPOSAL_DROPPED", "OUTCOME_UNKNOWN", "DEADLINE_EXCEEDED"];
