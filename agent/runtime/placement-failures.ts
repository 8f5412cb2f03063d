import type { NodeView } from "../../shared/fleet.ts";
import type { NodeId } from "../../shared/ids.ts";
import { TIMING } from "../../shared/limits.ts";
import type { Ledger } from "../core/ledger/index.ts";
import type { Clock } from "../ports/index.ts";

interface Failure {
  because: string;
  atMs: number;
}

/** Models that could not be loaded where they were placed: for a while they are not placed there again. */
export class PlacementFailures {
  readonly #clock: Clock;
  readonly #fleet: { ledger: Ledger; nodes: () => NodeView[] };
  /** By node and pipeline. */
  readonly #failures = new Map<string, Failure>();

  constructor(clock: Clock, fleet: { ledger: Ledger; nodes: () => NodeView[] }) {
    this.#clock = clock;
    this.#fleet = fleet;
  }

  forget(): void {
    this.#failures.clear();
  }

  /** Takes in what the nodes report. @returns whether there is a new one */
  note(): boolean {
    const atMs = this.#clock.monotonicMs();
    let isNew = false;
    for (const { nodeId, report } of this.#fleet.nodes())
      for (const { pipeline, state, reason } of report?.models ?? []) {
        if (state !== "failed" || !this.#isMeant(nodeId, pipeline)) continue;
        const key = keyOf(nodeId, pipeline);
        if (this.#failures.has(key)) continue;
        this.#failures.set(key, { because: reason ?? "it gave no reason", atMs });
        isNew = true;
      }
    for (const [key, failure] of this.#failures)
      if (atMs - failure.atMs > TIMING.placementFailedMs) this.#failures.delete(key);
    return isNew;
  }

  on({ nodeId }: NodeView): { pipeline: string; because: string }[] {
    return [...this.#fleet.ledger.planning.models.keys()].flatMap((pipeline) => {
      const failure = this.#failures.get(keyOf(nodeId, pipeline));
      return failure ? [{ pipeline, because: failure.because }] : [];
    });
  }

  /** Of one that it shall not have any more, an old failure is no news. */
  #isMeant(nodeId: NodeId, pipeline: string): boolean {
    const replicas = this.#fleet.ledger.planning.placements.at(-1)?.replicas ?? [];
    return replicas.some((one) => one.pipeline === pipeline && one.nodes.includes(nodeId));
  }
}

const keyOf = (nodeId: NodeId, pipeline: string): string => `${nodeId} ${pipeline}`;
