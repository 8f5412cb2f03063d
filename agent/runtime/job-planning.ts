import type { JobDecision } from "../../shared/decision.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { NodeView } from "../../shared/fleet.ts";
import type { JobId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Plan } from "../../shared/plan.ts";
import type { Dispatch } from "../core/dispatch/index.ts";
import type { JobRecord, Ledger } from "../core/ledger/index.ts";
import { planJob } from "../core/planner/index.ts";
import { candidatesOf, inputPlaces, rounded } from "./candidates.ts";
import type { Events } from "./events.ts";
import type { Proposer } from "./proposer.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Workforce } from "./workforce.ts";

interface JobPlanningInit {
  term: number;
  ledger: Ledger;
  proposer: Proposer;
  events: Events;
  nodes: () => NodeView[];
  dispatch: Dispatch;
  workforce: Workforce;
  /** Of a job of a pipeline of stages: why it is cut as it is, if this leader decided that. */
  formBecause: (jobId: JobId) => string | undefined;
}

/** Plans jobs in one leader's term, and has each decision kept with all that it was made from. */
export class JobPlanning {
  readonly #world: Surroundings;
  readonly #init: JobPlanningInit;
  readonly #plans = new Map<JobId, Plan>();

  constructor(world: Surroundings, init: JobPlanningInit) {
    this.#world = world;
    this.#init = init;
  }

  planOf(jobId: JobId): Plan | undefined {
    return this.#plans.get(jobId);
  }

  forget(jobId: JobId): void {
    this.#plans.delete(jobId);
  }

  /** `isKept`: the decision is proposed to the ledger; nothing waits for that. */
  plan(job: JobRecord, items: readonly number[], isKept: boolean): JobDecision {
    const decision = this.#decide(job, items);
    const { jobId, plan } = decision;
    this.#plans.set(jobId, plan);
    this.#init.events.emit("jobPlanned", { jobId, items: items.length, summary: plan.summary });
    if (isKept && items.length > 0) this.#keep(decision);
    return decision;
  }

  #decide(job: JobRecord, items: readonly number[]): JobDecision {
    const { term, ledger, dispatch, workforce } = this.#init;
    const { jobId, pipeline } = job;
    const nodes = this.#init.nodes();
    const inputs = items.map((item) => job.inputs[item]!);
    const holdersOf = (blob: (typeof inputs)[number]["blob"]) => ledger.holders.get(blob) ?? [];
    const places = inputPlaces(
      inputs.map(({ blob }) => blob),
      holdersOf,
      nodes,
    );
    const bytes = inputs.reduce((sum, input) => sum + input.bytes, 0);
    const { uplinkBytesPerSecond } = places;
    const made = {
      jobId,
      term,
      items: items.length,
      bytesPerItem: Math.round(bytes / Math.max(1, inputs.length)),
      ...(uplinkBytesPerSecond !== undefined && { uplinkBytesPerSecond }),
      nodes: candidatesOf(nodes, pipeline, places, { dispatch, workforce }),
    };
    const madeAtMs = this.#world.clock.nowMs();
    const planned = planJob({ ...made, nowMs: madeAtMs });
    const form = this.#init.formBecause(jobId);
    const because = form === undefined ? {} : { form };
    const plan = { ...planned, ...cutSummary(job, form) };
    return { kind: "job", pipeline, madeAtMs, ...made, nodesLeftOut: 0, ...because, plan };
  }

  #keep(decision: JobDecision): void {
    const { jobId } = decision;
    const entry = { kind: "jobPlanned" as const, jobId, decisionJson: decisionJson(decision) };
    this.#init.proposer.propose(entry).catch((error: unknown) => {
      // The job runs all the same; only its explanation is lost with this leader.
      this.#world.telemetry.log("warn", "decisionUnrecorded", { jobId, reason: SkeinError.from(error).message });
    });
  }
}

/** Of a job that is cut in several segments: nodes take its tasks as they come, and not a share of its items. */
function cutSummary({ form, inputs }: JobRecord, because: string | undefined): { summary?: string } {
  const parts = form?.segments.length ?? 1;
  if (parts === 1) return {};
  const items = inputs.length === 1 ? "1 item" : `${inputs.length} items`;
  return { summary: `${items}, ${because ?? `stage by stage, in ${parts} parts, as the leader before decided`}.` };
}

/** Within decisionBytesMax: of a large fleet those that got most, then those that could have had some, are kept. */
export function decisionJson(decision: JobDecision): string {
  const { nodes, plan } = decision;
  const order = new Map(plan.shares.map(({ nodeId }, place) => [nodeId, place]));
  const needed = [...nodes].sort(
    (a, b) =>
      Math.sign(itemsOf(plan, order, b) - itemsOf(plan, order, a)) ||
      Number(b.eligible) - Number(a.eligible) ||
      b.itemsPerSecond - a.itemsPerSecond,
  );
  for (let count = needed.length; ; count = Math.floor(count * 0.9)) {
    const kept = new Set(needed.slice(0, count).map(({ nodeId }) => nodeId));
    const json = JSON.stringify(
      {
        ...decision,
        nodes: nodes.filter(({ nodeId }) => kept.has(nodeId)),
        nodesLeftOut: nodes.length - kept.size,
        plan: { ...plan, shares: plan.shares.filter(({ nodeId }) => kept.has(nodeId)) },
      },
      (_key, value: unknown) => (typeof value === "number" && !Number.isInteger(value) ? rounded(value) : value),
    );
    if (count === 0 || new TextEncoder().encode(json).length <= LIMITS.decisionBytesMax) return json;
  }
}

const itemsOf = (plan: Plan, order: ReadonlyMap<string, number>, { nodeId }: { nodeId: string }): number =>
  plan.shares[order.get(nodeId) ?? -1]?.items ?? 0;
