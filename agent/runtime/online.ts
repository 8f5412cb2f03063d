import { INPUT_FAULTS, SkeinError } from "../../shared/errors.ts";
import type { NodeView } from "../../shared/fleet.ts";
import type { NodeId } from "../../shared/ids.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import type { OnlineAnswer } from "../../shared/online.ts";
import type { Segment } from "../../shared/pipeline/compiled.ts";
import { HedgeBudget, OnlineChoice, type OnlineNode, type OnlineStep } from "../core/online/index.ts";
import type { Peers } from "./peers.ts";
import { StageFigures } from "./pipelines/stage-figures.ts";
import type { Surroundings } from "./surroundings.ts";

export interface OnlineInit {
  peers: Peers;
  nodes: () => NodeView[];
  /** Of this node, all executors together; undefined if the pipeline was not measured here yet. */
  ownRate: (pipeline: string) => number | undefined;
  /** Has the engine of this node know a pipeline of stages; undefined for any other name. */
  ready: (pipeline: string) => Promise<Segment | undefined>;
  /** Why people's rules keep a pipeline from a node now; undefined if they do not, as far as this node knows them. */
  keptFrom: (pipeline: string, node: NodeView) => string | undefined;
  /** Items of jobs in this node's hands. */
  ownQueue: () => number;
}

/** One item that somebody waits for: run here or by whoever answers soonest, without the ledger and so without a quorum. */
export class Online {
  readonly #world: Surroundings;
  readonly #init: OnlineInit;
  readonly #budget = new HedgeBudget();
  /** Requests of this node that each box works on: what its last report does not know yet. */
  readonly #atWork = new Map<NodeId, number>();

  constructor(world: Surroundings, init: OnlineInit) {
    this.#world = world;
    this.#init = init;
    init.peers.answer("infer", async (_from, { pipeline, name, input, deadlineMs }) => {
      await init.ready(pipeline);
      const { output, durationMs } = await world.engine.run({ pipeline, name, input, deadlineMs });
      if (output.length > LIMITS.onlineBytesMax)
        throw new SkeinError("TOO_LARGE", { what: "The output", actual: output.length, limit: LIMITS.onlineBytesMax });
      return { output, durationMs };
    });
  }

  /**
   * @throws UNKNOWN_PIPELINE, TOO_LARGE, whatever is wrong with the input, DEADLINE_EXCEEDED, or the last failure when
   *   every box that could have run it failed.
   */
  async run(pipeline: string, name: string, input: Uint8Array): Promise<OnlineAnswer> {
    if (input.length > LIMITS.onlineBytesMax)
      throw new SkeinError("TOO_LARGE", { what: name, actual: input.length, limit: LIMITS.onlineBytesMax });
    const segment = await this.#init.ready(pipeline);
    const nodes = this.#able(pipeline, segment);
    if (nodes.length === 0) throw this.#nobody(pipeline, segment);
    const deadlineMs = TIMING.onlineDeadlineMs;
    const late = new SkeinError("DEADLINE_EXCEEDED", { what: `Work on ${name}`, deadlineMs });
    return new Promise((resolve, reject) => {
      const cancels = [this.#world.clock.after(deadlineMs, () => end(() => reject(late)))];
      const end = (settle: () => void): void => {
        for (const cancel of cancels) cancel();
        settle();
      };
      const choice = new OnlineChoice(nodes, { bytes: input.length }, this.#budget);
      let asked = 0;
      let last: SkeinError = late;
      const act = (step: OnlineStep | undefined): void => {
        if (step?.kind === "giveUp") end(() => reject(last));
        if (step?.kind !== "ask") return;
        const attempts = ++asked;
        cancels.push(this.#world.clock.after(choice.lateAfterMs(step), () => act(choice.late())));
        this.#ask(step.node, { pipeline, name, input, deadlineMs }).then(
          ({ output, durationMs }) =>
            end(() => resolve({ output, node: step.node.nodeId, name: step.node.name, durationMs, attempts })),
          (error: unknown) => {
            last = SkeinError.from(error);
            if (INPUT_FAULTS.includes(last.code)) end(() => reject(last));
            else act(choice.failed());
          },
        );
      };
      act(choice.begin());
    });
  }

  async #ask(
    { nodeId }: OnlineNode,
    question: { pipeline: string; name: string; input: Uint8Array; deadlineMs: number },
  ): Promise<{ output: Uint8Array; durationMs: number }> {
    this.#atWork.set(nodeId, this.#at(nodeId) + 1);
    try {
      return await this.#init.peers.ask(nodeId, "infer", question, { deadlineMs: question.deadlineMs });
    } finally {
      this.#atWork.set(nodeId, this.#at(nodeId) - 1);
    }
  }

  #at(nodeId: NodeId): number {
    return this.#atWork.get(nodeId) ?? 0;
  }

  /** This box, and those that are fresh, linked, and known to run it; where somebody waits, a suspect link is no link. */
  #able(pipeline: string, segment: Segment | undefined): OnlineNode[] {
    const known = this.#init.nodes();
    const figures = segment && new StageFigures(known);
    return known.flatMap((node) => {
      const { nodeId, name, isSelf, presence, link, report } = node;
      const measured = isSelf
        ? this.#init.ownRate(pipeline)
        : report?.rates.find((one) => one.pipeline === pipeline)?.itemsPerSecond;
      const rate = segment ? figures?.rateOn(node, segment.pipeline, { name: pipeline }) : measured;
      const executors = isSelf ? this.#world.engine.executors : (report?.executors ?? 0);
      if (rate === undefined || executors === 0 || node.drained || this.#init.keptFrom(pipeline, node)) return [];
      if (!isSelf && (presence !== "fresh" || link?.state !== "up")) return [];
      const queued = isSelf ? this.#init.ownQueue() : (report?.itemsQueued ?? 0);
      return [
        {
          nodeId,
          name,
          itemsPerSecond: rate,
          executors,
          itemsQueued: queued + this.#at(nodeId),
          rttMs: isSelf ? 0 : (link?.rttMs ?? 1),
        },
      ];
    });
  }

  #nobody(pipeline: string, segment: Segment | undefined): SkeinError {
    if (segment) return new SkeinError("NOT_READY", { pipeline });
    const reports = this.#init.nodes().flatMap(({ report }) => report?.rates.map((rate) => rate.pipeline) ?? []);
    const known = [...new Set([...reports, ...this.#world.engine.pipelines().map(({ name }) => name)])];
    if (known.length === 0 || known.includes(pipeline)) return new SkeinError("NOT_READY");
    return new SkeinError("UNKNOWN_PIPELINE", { pipeline, known });
  }
}
