import {
  type DrillAnswer,
  type DrillLine,
  type DrillList,
  type DrillPlan,
  type DrillRecord,
  type DrillRequest,
  type DrillView,
  type PlannedFault,
  type RunningDrill,
  readDrillRecord,
} from "../../../shared/drill.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { isOpen } from "../../../shared/job.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import { chooseVictim, type DrillFleet, whyNotUnplug } from "../../core/drill/index.ts";
import type { Cancel } from "../../ports/index.ts";
import type { Deputy } from "../deputy.ts";
import type { Surroundings } from "../surroundings.ts";
import { delay } from "../waiting.ts";
import { FaultMaker } from "./fault-maker.ts";
import { fleetFacts } from "./fleet-facts.ts";
import type { DrillParts } from "./parts.ts";
import { DrillRun, drillMsMax } from "./run.ts";

/** The record is offered until the fleet takes it; a drill without an end counts as over by its own word later. */
const END_MS = 60_000;
const END_AGAIN_MS = 1_000;
/** How often this node looks for a drill of its own that an earlier life left running. */
const LOOK_MS = 5_000;

/**
 * Rehearsals of this fleet. The box that is asked coordinates: it has the ledger agree that the drill runs, which keeps every
 * other one off, and has the ledger keep what it showed.
 */
export class Drills {
  readonly #world: Surroundings;
  readonly #parts: DrillParts;
  readonly #deputy: () => Deputy;
  readonly #maker: FaultMaker;
  #run: DrillRun | undefined;
  /** What the last one of this node told, for whoever watches it to the end. */
  #lastTold: { drillId: string; lines: DrillLine[] } | undefined;
  /** Ended and agreed on, or given up. */
  #ending: Promise<void> = Promise.resolve();
  #looking: Cancel = () => {};
  #isStopped = false;

  constructor(world: Surroundings, parts: DrillParts, deputy: () => Deputy) {
    this.#world = world;
    this.#parts = parts;
    this.#deputy = deputy;
    const running = async (): Promise<RunningDrill | undefined> =>
      (await this.#deputy().call("runningDrill")) ?? undefined;
    this.#maker = new FaultMaker(world, { peers: parts.peers, events: parts.events, running });
    world.network.onLink((link) => this.#run?.linkChanged(link));
  }

  async start(): Promise<void> {
    this.#looking = this.#world.clock.every(LOOK_MS, () => void this.#endLeftOver());
    await this.#maker.start();
  }

  stop(): void {
    this.#isStopped = true;
    this.#run?.stop();
    this.#looking();
  }

  /** @throws DRILL_REFUSED, NO_QUORUM */
  async begin(request: DrillRequest): Promise<DrillAnswer> {
    const plan = this.#plan(request);
    if (request.onlyPlan) return { plan };
    if (this.#run) throw new SkeinError("DRILL_REFUSED", { reason: `drill ${this.#run.drillId} is running` });
    const refused = plan.faults.find(({ refusal }) => refusal !== undefined);
    if (refused) throw new SkeinError("DRILL_REFUSED", { reason: `${refused.fault}: ${refused.refusal}` });
    const drillId = `drill-${this.#world.randomness.token(6)}`;
    const run = new DrillRun(this.#world, this.#parts, drillId, request);
    this.#run = run;
    try {
      const startedAtMs = this.#world.clock.nowMs();
      const untilMs = startedAtMs + drillMsMax(request);
      const { self } = this.#world.network;
      await this.#parts.proposer.propose({ kind: "drillBegun", drillId, startedBy: self, startedAtMs, untilMs });
    } catch (error) {
      this.#run = undefined;
      throw error;
    }
    this.#parts.events.emit("drillBegun", { drillId, faults: request.faults });
    this.#ending = run.run().then((record) => this.#end(record));
    return { drillId, plan };
  }

  list(): DrillList {
    const { running, kept } = this.#parts.ledger.drills;
    const isOver = running !== undefined && this.#world.clock.nowMs() > running.untilMs;
    return {
      ...(running && !isOver ? { running: this.#headOf(running) } : {}),
      kept: kept.flatMap(({ recordJson }) => readDrillRecord(recordJson) ?? []),
    };
  }

  /** @throws DRILL_UNKNOWN */
  async view(drillId: string): Promise<DrillView> {
    if (this.#run?.drillId === drillId) return viewOf(this.#run);
    const { running, kept } = this.#parts.ledger.drills;
    const ended = kept.find((one) => one.drillId === drillId);
    const record = ended && readDrillRecord(ended.recordJson);
    if (record) {
      const { startedAtMs, coordinator, outcomes } = record;
      const lines = this.#lastTold?.drillId === drillId ? this.#lastTold.lines : [];
      return { drillId, startedAtMs, coordinator, lines, outcomes, record };
    }
    if (running?.drillId !== drillId) throw new SkeinError("DRILL_UNKNOWN", { drillId });
    if (running.startedBy === this.#world.network.self) return { ...this.#headOf(running), lines: [], outcomes: [] };
    return this.#deputy().callAt(running.startedBy, "drill", drillId);
  }

  /** For tests and the simulator: resolves when no drill of this node is under way. */
  async settled(): Promise<void> {
    await this.#ending;
  }

  #headOf({ drillId, startedAtMs, startedBy }: RunningDrill) {
    return { drillId, startedAtMs, coordinator: this.#nameOf(startedBy) };
  }

  #plan({ faults, holdMs = TIMING.drillHoldMs }: DrillRequest): DrillPlan {
    const { self } = this.#world.network;
    const fleet = fleetFacts(self, this.#parts);
    const others = [...this.#parts.ledger.jobs.values()].filter(({ state, parent }) => isOpen(state) && !parent);
    return {
      coordinator: this.#nameOf(self),
      holdMs,
      faults: faults.map((fault) => planned(fault, fleet)),
      jobsUnderWay: others.length,
    };
  }

  async #end(record: DrillRecord): Promise<void> {
    const { clock, telemetry } = this.#world;
    const { drillId } = record;
    const endsAtMs = clock.monotonicMs() + END_MS;
    while (!this.#isStopped) {
      try {
        await this.#parts.proposer.propose({ kind: "drillEnded", drillId, recordJson: jsonOf(record) });
        break;
      } catch (error) {
        telemetry.log("warn", "drillEndUntold", { drillId, reason: SkeinError.from(error).message });
        if (clock.monotonicMs() >= endsAtMs || SkeinError.from(error).code === "DRILL_REFUSED") break;
      }
      await delay(clock, END_AGAIN_MS);
    }
    this.#lastTold = { drillId, lines: this.#run?.lines ?? [] };
    this.#run = undefined;
    this.#parts.events.emit("drillEnded", { drillId, aborted: record.aborted ?? null });
  }

  /** This box was restarted in the middle of a drill of its own: it says so, that another may begin. */
  async #endLeftOver(): Promise<void> {
    const { running } = this.#parts.ledger.drills;
    if (this.#run || running?.startedBy !== this.#world.network.self) return;
    const { drillId, startedAtMs } = running;
    const record: DrillRecord = {
      version: 1,
      drillId,
      startedAtMs,
      endedAtMs: this.#world.clock.nowMs(),
      coordinator: this.#nameOf(this.#world.network.self),
      boxes: this.#parts.nodes().length,
      holdMs: 0,
      outcomes: [],
      aborted: "the box that coordinated it was restarted",
    };
    try {
      await this.#parts.proposer.propose({ kind: "drillEnded", drillId, recordJson: jsonOf(record) });
    } catch (error) {
      this.#world.telemetry.log("debug", "drillEndUntold", { drillId, reason: SkeinError.from(error).message });
    }
  }

  #nameOf(nodeId: NodeId): string {
    return this.#parts.nodes().find((node) => node.nodeId === nodeId)?.name ?? nodeId;
  }
}

function planned(fault: PlannedFault["fault"], fleet: DrillFleet): PlannedFault {
  if (fault === "unplug") {
    const spared = whyNotUnplug(fleet);
    return { fault, ...(typeof spared === "string" ? { refusal: spared } : {}) };
  }
  const choice = chooseVictim(fault, fleet);
  if (typeof choice === "string") return { fault, refusal: choice };
  const { victim, leaderFirst } = choice;
  return { fault, victim: victim.name, ...(leaderFirst ? { leaderFirst: leaderFirst.name } : {}) };
}

const viewOf = ({ drillId, startedAtMs, coordinator, lines, outcomes }: DrillRun): DrillView => ({
  drillId,
  startedAtMs,
  coordinator,
  lines: [...lines],
  outcomes: [...outcomes],
});

/** A few kilobytes at the most: at most drillFaultsMax outcomes of short texts; reasons that do not fit are left out. */
function jsonOf(record: DrillRecord): string {
  const json = JSON.stringify(record);
  if (new TextEncoder().encode(json).length <= LIMITS.drillRecordBytesMax) return json;
  return JSON.stringify({ ...record, outcomes: record.outcomes.map((outcome) => ({ ...outcome, because: [] })) });
}
