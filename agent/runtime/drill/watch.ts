import { type DrillLine, SLOW_LINK } from "../../../shared/drill.ts";
import type { LinkView, NodeView } from "../../../shared/fleet.ts";
import type { JobId, NodeId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { AgentEvent } from "../../../shared/routes.ts";
import type { Happened } from "../../core/drill/index.ts";
import type { Cancel } from "../../ports/index.ts";
import type { Surroundings } from "../surroundings.ts";
import type { DrillParts } from "./parts.ts";

/** For what no event tells: a report that says full, a round trip that grew. */
const LOOK_MS = 50;

/** What this node sees happen during a drill: moments for the measurements, and a line for each that a person would want. */
export class DrillWatch {
  readonly lines: DrillLine[] = [];
  /** Of the present fault. */
  happened: Happened[] = [];
  readonly #world: Surroundings;
  readonly #parts: DrillParts;
  readonly #beganAtMs: number;
  readonly #unlisten: () => void;
  readonly #unlook: Cancel;
  #victim: NodeId | undefined;
  #ledAtFirst: NodeId | undefined;
  /** Whether a recorded result is one of the drill's own. */
  #isOurs: (jobId: JobId, item: number) => boolean = () => false;
  /** Links that are not up, and what was last heard over them when. */
  readonly #quiet = new Map<NodeId, { noticedAtMs: number; heardAtMs: number; isDown: boolean }>();

  constructor(world: Surroundings, parts: DrillParts) {
    this.#world = world;
    this.#parts = parts;
    this.#beganAtMs = world.clock.monotonicMs();
    this.#unlisten = parts.events.on((event) => this.#take(event));
    this.#unlook = world.clock.every(LOOK_MS, () => this.#look());
  }

  end(): void {
    this.#unlisten();
    this.#unlook();
  }

  say(text: string): void {
    const atMs = Math.round(this.#world.clock.monotonicMs() - this.#beganAtMs);
    if (this.lines.length < LIMITS.drillLinesMax && this.lines.at(-1)?.text !== text) this.lines.push({ atMs, text });
  }

  beginFault(isOurs: (jobId: JobId, item: number) => boolean): void {
    this.#victim = undefined;
    this.#isOurs = isOurs;
    this.happened = [];
    this.#quiet.clear();
    this.#ledAtFirst = this.#parts.standing.leader();
  }

  /** Who led then, as far as it was known here. */
  leaderAt(atMs: number): NodeId | undefined {
    const before = this.happened.findLast((one) => one.kind === "led" && one.atMs <= atMs);
    return before?.kind === "led" ? before.leader : this.#ledAtFirst;
  }

  aimAt(victim: NodeId): void {
    this.#victim = victim;
  }

  hasNoticed(): boolean {
    return this.happened.some(({ kind }) => kind === "noticed");
  }

  /** The first box whose link went down, when that was seen to begin and when it was last heard. */
  firstLost(): { nodeId: NodeId; noticedAtMs: number; heardAtMs: number } | undefined {
    for (const [nodeId, quiet] of this.#quiet) if (quiet.isDown) return { nodeId, ...quiet };
    return undefined;
  }

  linkChanged({ nodeId, state, silentMs }: LinkView): void {
    const nowMs = this.#world.clock.monotonicMs();
    if (state === "up") this.#quiet.delete(nodeId);
    else {
      const before = this.#quiet.get(nodeId);
      const first = before ?? { noticedAtMs: nowMs, heardAtMs: nowMs - silentMs };
      this.#quiet.set(nodeId, { ...first, isDown: state === "down" });
    }
    if (nodeId === this.#victim && state !== "up") this.#notice();
    const words = { up: "answers", suspect: "has gone quiet: no new work", down: "is lost: its link is down" };
    this.say(`${this.#nameOf(nodeId)} ${words[state]}`);
  }

  notice(atMs: number): void {
    if (!this.hasNoticed()) this.happened.push({ kind: "noticed", atMs });
  }

  #notice(): void {
    this.notice(this.#world.clock.monotonicMs());
  }

  #take({ event, facts }: AgentEvent): void {
    const atMs = this.#world.clock.monotonicMs();
    if (event === "resultRecorded") {
      if (this.#isOurs(facts.jobId as JobId, facts.item as number)) this.happened.push({ kind: "recorded", atMs });
    } else if (event === "leaderChanged") {
      const leader = facts.leader as NodeId | undefined;
      if (leader) this.happened.push({ kind: "led", leader, atMs });
      this.say(leader ? `${this.#nameOf(leader)} leads (term ${facts.term})` : "nobody leads");
    } else if (event === "nodePresenceChanged") {
      if (facts.node === this.#victim && facts.to !== "fresh") this.#notice();
      if (facts.to === "gone") this.say(`${facts.name} is gone: ${facts.because}`);
    } else if (event === "shardTakenBack") {
      this.say(`${facts.items} items are taken back from ${this.#nameOf(facts.node as NodeId)}: ${facts.because}`);
    }
  }

  #look(): void {
    const victim = this.#parts.nodes().find(({ nodeId }) => nodeId === this.#victim);
    if (victim && !this.hasNoticed() && isHarmed(victim)) this.#notice();
  }

  #nameOf(nodeId: NodeId): string {
    return this.#parts.nodes().find((node) => node.nodeId === nodeId)?.name ?? nodeId;
  }
}

/** By its own report, or by the pace of its link. */
export const isHarmed = ({ report, link }: NodeView): boolean =>
  (report !== undefined && report.vitals.diskFreeBytes < LIMITS.diskFreeBytesMin) ||
  (link?.rttMs ?? 0) >= SLOW_LINK.delayMs;
