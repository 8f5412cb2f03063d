import {
  type DrillFault,
  type DrillRecord,
  type DrillRequest,
  deedOf,
  type FaultOutcome,
} from "../../../shared/drill.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { LinkView } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import {
  chooseVictim,
  type DrillBox,
  judgeFault,
  measureFault,
  skippedFault,
  whyNotUnplug,
} from "../../core/drill/index.ts";
import type { Surroundings } from "../surroundings.ts";
import { delay, eventually, within } from "../waiting.ts";
import { Canaries } from "./canaries.ts";
import { fleetFacts } from "./fleet-facts.ts";
import { type Harmed, isHealed } from "./healed.ts";
import type { DrillParts } from "./parts.ts";
import { DrillWatch } from "./watch.ts";

/** From the answer of the box that harms itself to the harm. */
const IN_MS = 300;
/** For every box to have recorded something, so that the victim has work to lose. */
const WARM_MS = 8_000;
/** For what was handed in to end once all is well. */
const DONE_MS = 60_000;
const CHECK_MS = 60_000;
const LOOK_MS = 200;
/** What one fault may take beside its hold, all deadlines of it together. */
const FAULT_MS_MAX = WARM_MS + TIMING.drillHealMs + DONE_MS + 2 * CHECK_MS;

type MadeFault = Exclude<DrillFault, "unplug">;
interface Begun extends Harmed {
  name: string;
  victimLed: boolean;
  begunAtMs: number;
}

const isKill = (fault: DrillFault): boolean => fault === "killLeader" || fault === "killWorker";

/** The longest a drill can take: by then it counts as over, whatever became of the box that coordinates it. */
export const drillMsMax = ({ faults, holdMs = TIMING.drillHoldMs }: DrillRequest): number =>
  faults.reduce((sum, fault) => sum + FAULT_MS_MAX + (fault === "unplug" ? 2 * TIMING.drillUnplugMs : holdMs), 0);

/** One drill, as the box runs it that coordinates it: fault after fault, each only on a whole fleet. */
export class DrillRun {
  readonly drillId: string;
  readonly startedAtMs: number;
  readonly outcomes: FaultOutcome[] = [];
  readonly coordinator: string;
  readonly #world: Surroundings;
  readonly #parts: DrillParts;
  readonly #request: DrillRequest;
  readonly #holdMs: number;
  readonly #watch: DrillWatch;
  #canaries: Canaries | undefined;
  #isStopped = false;

  constructor(world: Surroundings, parts: DrillParts, drillId: string, request: DrillRequest) {
    this.#world = world;
    this.#parts = parts;
    this.drillId = drillId;
    this.#request = request;
    this.#holdMs = request.holdMs ?? TIMING.drillHoldMs;
    this.startedAtMs = world.clock.nowMs();
    this.coordinator = parts.nodes().find(({ isSelf }) => isSelf)?.name ?? world.network.self;
    this.#watch = new DrillWatch(world, parts);
  }

  get lines() {
    return this.#watch.lines;
  }

  linkChanged(link: LinkView): void {
    this.#watch.linkChanged(link);
  }

  /** The agent stops: no more work is handed in, and no more faults are made. */
  stop(): void {
    this.#isStopped = true;
    this.#canaries?.stop();
  }

  /** Never rejects: what goes wrong is part of the record. */
  async run(): Promise<DrillRecord> {
    let aborted: string | undefined;
    try {
      for (const [at, fault] of this.#request.faults.entries()) if (!this.#isStopped) await this.#oneFault(fault, at);
    } catch (error) {
      aborted = SkeinError.from(error).message;
      this.#watch.say(`the drill ends here: ${aborted}`);
    }
    this.#watch.end();
    return {
      version: 1,
      drillId: this.drillId,
      startedAtMs: this.startedAtMs,
      endedAtMs: this.#world.clock.nowMs(),
      coordinator: this.coordinator,
      boxes: this.#parts.nodes().length,
      holdMs: this.#holdMs,
      outcomes: this.outcomes,
      ...(aborted === undefined ? {} : { aborted: aborted.slice(0, LIMITS.errorMessageBytesMax / 4) }),
    };
  }

  async #oneFault(fault: DrillFault, at: number): Promise<void> {
    const refusal = this.#refusalOf(fault);
    if (refusal) return this.#skip(fault, refusal);
    const canaries = new Canaries(this.#world, this.#parts, `${this.drillId}/${at}`);
    this.#canaries = canaries;
    this.#watch.beginFault((jobId, item) => canaries.heard(jobId, item));
    try {
      await canaries.begin();
      const begun = fault === "unplug" ? await this.#awaitHand() : await this.#makeFault(fault, canaries);
      if (typeof begun === "string") return this.#skip(fault, begun);
      const healedAtMs = await this.#awaitHealed(fault, begun);
      await canaries.end();
      if (!(await canaries.untilDone(DONE_MS))) this.#watch.say("some canaries have not ended");
      const { victim, name, victimLed, begunAtMs } = begun;
      const { happened } = this.#watch;
      const times = measureFault({ begunAtMs, victim, victimLed, happened, ...(healedAtMs ? { healedAtMs } : {}) });
      const checked = await within(this.#world.clock, CHECK_MS, canaries.check());
      if (!checked) throw new SkeinError("DEADLINE_EXCEEDED", { what: "Counting the results", deadlineMs: CHECK_MS });
      const outcome = judgeFault({ fault, victim: name, victimLed, ...times, ...checked });
      this.outcomes.push(outcome);
      this.#watch.say(
        `${checked.items} results: ${checked.lost} lost, ${checked.recordedTwice} twice: ${outcome.verdict}`,
      );
    } finally {
      await canaries.end();
      await this.#tidy(canaries);
    }
  }

  /** Looked at again once work is under way. */
  #refusalOf(fault: DrillFault): string | undefined {
    const chosen = fault === "unplug" ? whyNotUnplug(this.#facts()) : chooseVictim(fault, this.#facts());
    return typeof chosen === "string" ? chosen : undefined;
  }

  #skip(fault: DrillFault, because: string): void {
    this.#watch.say(`not made: ${because}`);
    this.outcomes.push(skippedFault(fault, because));
  }

  /** What is left of the canaries may stay if the fleet cannot agree now: they are small, and no worse than any job. */
  async #tidy(canaries: Canaries): Promise<void> {
    try {
      await canaries.untilDone(DONE_MS);
      await canaries.forget();
    } catch (error) {
      this.#world.telemetry.log("warn", "canariesKept", { reason: SkeinError.from(error).message });
    }
  }

  async #makeFault(fault: MadeFault, canaries: Canaries): Promise<Begun | string> {
    const { peers, handover } = this.#parts;
    const { clock, network } = this.#world;
    const choice = chooseVictim(fault, this.#facts());
    if (typeof choice === "string") return choice;
    const { victim, leaderFirst } = choice;
    if (leaderFirst) {
      this.#watch.say(`the leadership goes to ${leaderFirst.name}: ${this.coordinator} coordinates and must stay`);
      await handover.transfer(leaderFirst.nodeId);
    }
    await eventually(clock, WARM_MS, () => canaries.hasRecordOf(victim.nodeId));
    const still = this.#isStillChosen(fault, victim);
    if (still) return still;
    const forMs = this.#holdMs;
    const question = { drillId: this.drillId, deed: deedOf(fault), inMs: IN_MS, forMs };
    const before = this.#nodeOf(victim.nodeId);
    this.#watch.aimAt(victim.nodeId);
    try {
      const { beginsInMs, how } = await peers.ask(victim.nodeId, "fault", question);
      const begunAtMs = clock.monotonicMs() + beginsInMs;
      const victimLed = this.#parts.standing.leader() === victim.nodeId;
      this.#watch.say(`${fault}: ${victim.name}${victimLed ? ", which leads" : ""}: ${how}`);
      const startedAtMs = before?.report?.startedAtMs;
      return { victim: victim.nodeId, name: victim.name, victimLed, begunAtMs, startedAtMs };
    } catch (error) {
      this.#world.telemetry.log("warn", "faultNotMade", { victim: victim.nodeId, from: network.self });
      return SkeinError.from(error).message;
    }
  }

  /** Time has passed since the choice: the fleet must be as whole, and the victim in the same place. */
  #isStillChosen(fault: MadeFault, victim: DrillBox): string | undefined {
    const facts = this.#facts();
    const again = chooseVictim(fault, facts);
    if (typeof again === "string") return again;
    const mustLead = fault === "killLeader";
    if ((facts.leader === victim.nodeId) !== mustLead) return "the leadership moved in the meantime";
    return undefined;
  }

  async #awaitHand(): Promise<Begun | string> {
    const { clock } = this.#world;
    const spared = whyNotUnplug(this.#facts());
    if (typeof spared === "string") return spared;
    const names = (nodes: readonly DrillBox[]): string => nodes.map(({ name }) => name).join(", ");
    const { boxes } = this.#facts();
    for (const [, reason] of spared) this.#watch.say(`not this one: ${reason}`);
    this.#watch.say(
      `pull the plug or the cable of one of these now: ${names(boxes.filter((box) => !spared.has(box.nodeId)))}`,
    );
    const pulled = await eventually(clock, TIMING.drillUnplugMs, () => this.#watch.firstLost() !== undefined);
    const lost = this.#watch.firstLost();
    if (!pulled || !lost) return "nobody pulled anything";
    const { nodeId, heardAtMs, noticedAtMs } = lost;
    const node = this.#nodeOf(nodeId);
    this.#watch.aimAt(nodeId);
    this.#watch.notice(noticedAtMs);
    const name = node?.name ?? nodeId;
    this.#watch.say(`it is ${name}. Put the plug back whenever you like`);
    return {
      victim: nodeId,
      name,
      victimLed: this.#watch.leaderAt(heardAtMs) === nodeId,
      begunAtMs: heardAtMs,
      startedAtMs: undefined,
    };
  }

  /** Resolves when the box takes part in full again, or with nothing when it does not in time. */
  async #awaitHealed(fault: DrillFault, begun: Begun): Promise<number | undefined> {
    const { clock } = this.#world;
    const isByHand = fault === "unplug";
    if (!isByHand) await delay(clock, Math.max(0, begun.begunAtMs + this.#holdMs - clock.monotonicMs()));
    const endsAtMs = clock.monotonicMs() + (isByHand ? TIMING.drillUnplugMs : TIMING.drillHealMs);
    while (clock.monotonicMs() < endsAtMs) {
      if (await isHealed(this.#world, this.#parts, { ...begun, mustHaveRestarted: isKill(fault) })) {
        this.#watch.say(`${begun.name} takes part in full again`);
        return clock.monotonicMs();
      }
      await delay(clock, LOOK_MS);
    }
    this.#watch.say(`${begun.name} did not come back in time`);
    return undefined;
  }

  #facts() {
    return fleetFacts(this.#world.network.self, this.#parts);
  }

  #nodeOf(nodeId: NodeId) {
    return this.#parts.nodes().find((node) => node.nodeId === nodeId);
  }
}
