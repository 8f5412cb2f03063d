import type {
  CapacityReport,
  HardwareFacts,
  LinkSpeed,
  ModelState,
  PipelineRate,
  Vitals,
} from "../../shared/capacity.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { LinkView, NodeView } from "../../shared/fleet.ts";
import type { NodeId } from "../../shared/ids.ts";
import { TIMING } from "../../shared/limits.ts";
import type { ModelProfile } from "../../shared/model-profile.ts";
import type { StageTime } from "../../shared/stage-time.ts";
import { decodeCapacityReport, encodeCapacityReport } from "../../shared/wire/capacity.ts";
import type { Fleet, FleetEffect, FleetEvent } from "../core/fleet/index.ts";
import type { Cancel } from "../ports/index.ts";
import type { Surroundings } from "./surroundings.ts";

/** What the rest of the agent contributes to its report. */
export interface OwnFigures {
  name: string;
  agentVersion: string;
  hardware(): HardwareFacts;
  vitals(): Promise<Vitals>;
  links(): LinkSpeed[];
  executors: number;
  apiUrl: string;
  rates(): PipelineRate[];
  itemsQueued(): number;
  profiles(): ModelProfile[];
  models(): ModelState[];
  stageTimes(): StageTime[];
}

/** Called for every event that was taken in, with what changed by it. */
export type FleetListener = (effects: FleetEffect[], event: FleetEvent["kind"]) => void;

/** What a peer's bytes say, checked. */
export type ReportReader = (bytes: Uint8Array) => CapacityReport;

/** Between a change worth telling and its report, so that a burst of changes is one message. */
const CHANGE_REPORT_MS = 200;
/** A new link's gossip subscriptions are exchanged within some tens of milliseconds. */
const LINK_REPORT_MS = 300;
/** How often silence is judged. */
const JUDGE_MS = 500;

/** Tells the fleet what this node can do, every few seconds and on change, and folds what others tell into one view. */
export class GossipLoop {
  readonly #world: Surroundings;
  readonly #fleet: Fleet;
  readonly #own: OwnFigures;
  readonly #onChange: FleetListener;
  readonly #read: ReportReader;
  readonly #startedAtMs: number;
  readonly #timers: Cancel[] = [];
  #sequence = 0;
  #reportDue: Cancel | undefined;

  constructor(
    world: Surroundings,
    fleet: Fleet,
    own: OwnFigures,
    onChange: FleetListener,
    read: ReportReader = decodeCapacityReport,
  ) {
    this.#world = world;
    this.#fleet = fleet;
    this.#own = own;
    this.#onChange = onChange;
    this.#read = read;
    this.#startedAtMs = world.clock.nowMs();
  }

  start(): void {
    const { network, clock } = this.#world;
    network.onGossip((from, bytes) => this.#hear(from, bytes));
    network.onLink((link) => {
      this.step({ kind: "linkChanged", link, atMs: clock.monotonicMs() });
      if (link.state === "up") this.#reportSoon(LINK_REPORT_MS);
    });
    this.#timers.push(
      clock.every(TIMING.capacityReportMs, () => this.#report()),
      clock.every(JUDGE_MS, () => this.step({ kind: "ticked", atMs: clock.monotonicMs() })),
    );
    this.#report();
  }

  stop(): void {
    for (const cancel of this.#timers) cancel();
    this.#reportDue?.();
  }

  step(event: FleetEvent): void {
    this.#onChange(this.#fleet.step(event), event.kind);
  }

  /** With each link as it is at this moment: the fleet hears of a link only when its state changes, round trips always move. */
  nodes(): NodeView[] {
    const nodes = this.#fleet.nodes(this.#world.clock.monotonicMs());
    const links = new Map<NodeId, LinkView>();
    for (const link of this.#world.network.links()) links.set(link.nodeId, link);
    for (const node of nodes) {
      const link = links.get(node.nodeId);
      if (link) node.link = link;
    }
    return nodes;
  }

  /** Something in this node's report changed that others should know before the next regular one. */
  changed(): void {
    this.#reportSoon(CHANGE_REPORT_MS);
  }

  #reportSoon(delayMs: number): void {
    this.#reportDue ??= this.#world.clock.after(delayMs, () => {
      this.#reportDue = undefined;
      this.#report();
    });
  }

  #report(): void {
    this.#gather().then(
      (report) => {
        this.step({ kind: "reportReceived", report, atMs: this.#world.clock.monotonicMs() });
        this.#world.network.publish(encodeCapacityReport(report));
      },
      (error) => this.#world.telemetry.log("warn", "vitalsUnreadable", { reason: SkeinError.from(error).message }),
    );
  }

  async #gather(): Promise<CapacityReport> {
    const { name, agentVersion, executors, apiUrl } = this.#own;
    const vitals = await this.#own.vitals();
    const links = this.#own.links();
    const models = this.#own.models();
    const stageTimes = this.#own.stageTimes();
    return {
      nodeId: this.#world.network.self,
      name,
      agentVersion,
      startedAtMs: this.#startedAtMs,
      sequence: ++this.#sequence,
      hardware: this.#own.hardware(),
      vitals,
      executors,
      rates: this.#own.rates(),
      itemsQueued: this.#own.itemsQueued(),
      apiUrl,
      ...(links.length > 0 && { links }),
      profiles: this.#own.profiles(),
      ...(models.length > 0 && { models }),
      ...(stageTimes.length > 0 && { stageTimes }),
    };
  }

  #hear(from: NodeId, bytes: Uint8Array): void {
    try {
      const report = this.#read(bytes);
      if (report.nodeId !== from)
        throw new SkeinError("FRAME_INVALID", { peer: from, reason: "it reports for another" });
      this.step({ kind: "reportReceived", report, atMs: this.#world.clock.monotonicMs() });
    } catch (error) {
      this.#world.telemetry.log("warn", "capacityReportRefused", { from, reason: SkeinError.from(error).message });
    }
  }
}
