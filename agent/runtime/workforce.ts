import type { NodeView } from "../../shared/fleet.ts";
import type { DispatchNode } from "../core/dispatch/index.ts";
import type { Ledger } from "../core/ledger/index.ts";
import { type Derating, Deratings } from "../core/planner/index.ts";
import type { Events } from "./events.ts";
import { openSegments, segmentRates } from "./pipelines/open-segments.ts";
import type { KnownPipelines } from "./pipelines/segments.ts";
import { StageFigures } from "./pipelines/stage-figures.ts";
import type { Surroundings } from "./surroundings.ts";
import { type Ruling, rulesOf, workersOf } from "./workers.ts";

interface WorkforceInit {
  ledger: Ledger;
  events: Events;
  pipelines: Pick<KnownPipelines, "compiled">;
  nodes: () => NodeView[];
}

/** Those a leader may give work to, with what heat, battery and people's rules leave of them. */
export class Workforce {
  readonly #world: Surroundings;
  readonly #init: WorkforceInit;
  readonly #deratings = new Deratings();

  constructor(world: Surroundings, init: WorkforceInit) {
    this.#world = world;
    this.#init = init;
  }

  /** As they stand now; what has changed since `before` about heat and battery is told. */
  workers(before: ReadonlyMap<string, DispatchNode>): DispatchNode[] {
    const nodes = this.#init.nodes();
    this.#deratings.keepOnly(new Set(nodes.map(({ nodeId }) => nodeId)));
    const ruling = this.ruling();
    const open = openSegments(this.#init.ledger, this.#init.pipelines);
    const figures = new StageFigures(open.length > 0 ? nodes : []);
    const workers = workersOf(
      nodes,
      ruling,
      (node) => this.deratingOf(node),
      (node) => segmentRates(open, figures, { node, ...ruling }),
    );
    for (const worker of workers) this.#tellDerating(worker, before.get(worker.nodeId)?.derating ?? 1);
    return workers;
  }

  /** Of one that did not report, nothing is known that would take from it. */
  deratingOf({ nodeId, report }: NodeView): Derating {
    return report ? this.#deratings.of(nodeId, report) : { factor: 1 };
  }

  ruling(): Ruling {
    return { rules: rulesOf(this.#init.ledger.planning), nowMs: this.#world.clock.nowMs() };
  }

  /** Told when work begins to move away, when none is given any more, and when all is well again. */
  #tellDerating({ nodeId, name, derating = 1 }: DispatchNode, before: number): void {
    if ((before === 1) === (derating === 1) && (before === 0) === (derating === 0)) return;
    const { because } = this.#deratings.last(nodeId);
    this.#init.events.emit("nodeDerated", { node: nodeId, name, factor: derating, ...(because && { because }) });
  }
}
