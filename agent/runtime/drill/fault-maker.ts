import { type FaultDeed, type RunningDrill, SLOW_LINK } from "../../../shared/drill.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { NodeId } from "../../../shared/ids.ts";
import type { Answer, Question } from "../../../shared/peer-requests.ts";
import type { Events } from "../events.ts";
import type { Peers } from "../peers.ts";
import type { Surroundings } from "../surroundings.ts";
import { delay } from "../waiting.ts";

export interface FaultMakerInit {
  peers: Peers;
  events: Events;
  /** The drill that runs, as the fleet has agreed. */
  running: () => Promise<RunningDrill | undefined>;
}

const NOTE = "drill/fault";
/** The entry that began the drill may be on its way here yet. */
const AGREED_MS = 2_000;
const LOOK_MS = 50;
/** Clocks of boxes differ; a drill that ended longer ago by this one's makes no faults any more. */
const CLOCKS_APART_MS = 60_000;

const say = (kind: FaultDeed, forMs: number): string => {
  const seconds = `${forMs / 1_000} s`;
  if (kind === "partition") return `its own network is cut for ${seconds}`;
  if (kind === "slowLink")
    return `each byte of its links is ${SLOW_LINK.delayMs} ms late each way, at most ${SLOW_LINK.bytesPerSecond / 1024} KiB a second, for ${seconds}`;
  return `it takes its disk for full for ${seconds}; nothing is written to fill it`;
};

/**
 * The box on which a fault falls makes it itself, one at a time, and only for a drill that the ledger knows and by the word
 * of the box that began it. What ends the fault stands before it begins.
 */
export class FaultMaker {
  readonly #world: Surroundings;
  readonly #init: FaultMakerInit;
  #isBusy = false;

  constructor(world: Surroundings, init: FaultMakerInit) {
    this.#world = world;
    this.#init = init;
    init.peers.answer("fault", (from, question) => this.#make(from, question));
  }

  /** Whatever a fault did to the process before this one ended with it; what is left is to say so. */
  async start(): Promise<void> {
    const { notes } = this.#world;
    const left = await notes.list(NOTE);
    for (const [key, value] of left) {
      this.#init.events.emit("faultEnded", factsFrom(value));
      await notes.write([{ key }]);
    }
  }

  async #make(from: NodeId, { drillId, deed, inMs, forMs }: Question<"fault">): Promise<Answer<"fault">> {
    await this.#refuseUnlessAgreed(from, drillId);
    if (this.#isBusy) throw refused("another fault of it has not ended yet");
    this.#isBusy = true;
    try {
      const { clock } = this.#world;
      const facts = { drillId, deed, endsAtMs: clock.nowMs() + inMs + forMs };
      await this.#world.notes.write([{ key: NOTE, value: new TextEncoder().encode(JSON.stringify(facts)) }]);
      const how = await this.#begin(deed, inMs, forMs);
      this.#init.events.emit("faultBegun", { ...facts, how }, "warn");
      clock.after(inMs + forMs, () => void this.#end(facts));
      return { beginsInMs: inMs, how };
    } catch (error) {
      this.#isBusy = false;
      throw error;
    }
  }

  async #begin(deed: FaultDeed, inMs: number, forMs: number): Promise<string> {
    const { clock, faults, network } = this.#world;
    if (deed === "kill") return faults.kill(inMs, forMs);
    if (deed === "freeze") return faults.freeze(inMs, forMs);
    const harm = (isHarmed: boolean): void => {
      if (deed === "fillDisk") faults.fillDisk(isHarmed);
      else if (!isHarmed) network.impair();
      else network.impair(deed === "partition" ? { kind: "cut" } : { kind: "slow", ...SLOW_LINK });
    };
    clock.after(inMs, () => harm(true));
    clock.after(inMs + forMs, () => harm(false));
    return say(deed, forMs);
  }

  async #end(facts: object): Promise<void> {
    this.#isBusy = false;
    this.#init.events.emit("faultEnded", { ...facts });
    try {
      await this.#world.notes.write([{ key: NOTE }]);
    } catch (error) {
      // The note then speaks of a fault that is over; the next start says so and tries again.
      this.#world.telemetry.log("warn", "faultNoteKept", { reason: SkeinError.from(error).message });
    }
  }

  async #refuseUnlessAgreed(from: NodeId, drillId: string): Promise<void> {
    const { clock } = this.#world;
    const endsAtMs = clock.monotonicMs() + AGREED_MS;
    for (;;) {
      const running = await this.#init.running();
      const isOver = running !== undefined && clock.nowMs() > running.untilMs + CLOCKS_APART_MS;
      if (running?.drillId === drillId && running.startedBy === from && !isOver) return;
      if (clock.monotonicMs() >= endsAtMs) throw refused("the fleet has agreed on no such drill by the box that asks");
      await delay(clock, LOOK_MS);
    }
  }
}

function factsFrom(note: Uint8Array): Record<string, unknown> {
  try {
    return { ...(JSON.parse(new TextDecoder().decode(note)) as object) };
  } catch (error) {
    return { reason: `its note cannot be read: ${(error as Error).message}` };
  }
}

const refused = (reason: string): SkeinError => new SkeinError("DRILL_REFUSED", { reason });
