import { createHash } from "node:crypto";
import type { LedgerOutcome } from "../../../agent/core/ledger/index.ts";
import type {
  Blobs,
  Clock,
  Journal,
  ProbeResult,
  Randomness,
  Signer,
  Solver,
  Telemetry,
} from "../../../agent/ports/index.ts";
import { Agent, noEngine } from "../../../agent/runtime/index.ts";
import type { HardwareFacts, Vitals } from "../../../shared/capacity.ts";
import type { NodePart, RosterNode } from "../../../shared/fleet.ts";
import type { BlobHash, FleetId, NodeId } from "../../../shared/ids.ts";
import { TIMING } from "../../../shared/limits.ts";
import type { FirmwareProfile } from "../../../shared/profile.ts";
import { PretendEngine } from "../../support/pretend-engine.ts";
import { pretendFaults } from "../../support/pretend-faults.ts";
import type { PretendFitting } from "../../support/pretend-fitting.ts";
import { PretendJournal } from "../../support/pretend-journal.ts";
import { PretendModels } from "../../support/pretend-models.ts";
import type { PretendNet } from "../../support/pretend-network.ts";
import { PretendNotes } from "../../support/pretend-notes.ts";
import type { PretendPeer } from "../../support/pretend-peer.ts";
import { pretendSigner } from "../../support/pretend-signer.ts";
import { pretendSolver } from "../../support/pretend-solver.ts";
import { PretendTrials } from "../../support/pretend-trials.ts";
import { BoxClock } from "../../support/virtual-clock.ts";
import { type Body, Heat } from "./heat.ts";
import { readReportOnce } from "./reports-once.ts";
import { WatchedBlobs } from "./watched-blobs.ts";
import { watchLeases, watchLedger } from "./watching.ts";

export const sha256 = (bytes: Uint8Array): BlobHash => createHash("sha256").update(bytes).digest("hex") as BlobHash;
export const FLEET = { fleetId: "f1ee7" as FleetId, fleetName: "pretend", fleetSecret: "00" };

const FACTS: HardwareFacts = {
  profile: "generic-x64",
  model: "pretend",
  cpuModel: "pretend",
  cores: 4,
  arch: "x64",
  memoryTotalBytes: 8e9,
  memoryUsableBytes: 6e9,
};
export const PROBED: ProbeResult = {
  facts: FACTS,
  profile: {} as FirmwareProfile,
  reason: "pretend",
  others: [],
  profilesRefused: [],
  executors: 1,
};

/** Small enough that a storm sees many snapshots, of many pieces, and boxes that were away for long enough to need one. */
export const SMALL_SNAPSHOTS = { pieceBytes: 512, entriesMin: 12, logBytesMin: 8_192, entriesKept: 6, bytesKept: 1e6 };
/** For fleets and runs so large that they would do little else. */
export const LARGE_SNAPSHOTS = {
  pieceBytes: 65_536,
  entriesMin: 1_024,
  logBytesMin: 262_144,
  entriesKept: 256,
  bytesKept: 1e6,
};

/** What a box shows to the checkers. */
export interface Ears {
  onOutcome(node: SimNode, outcome: LedgerOutcome): void;
  onRestored(node: SimNode): void;
  onLeaseTaken(node: SimNode, lease: { shardId: string; term: number; known: number }): void;
  onCopyLost(node: SimNode, blob: BlobHash): void;
}

interface Told {
  atMs: number;
  event: string;
  facts: Readonly<Record<string, unknown>>;
}

/** Events of one box that its story goes back. */
const STORY_EVENTS = 400;

/** One box of the pretend world: its disks outlive its agent. */
export class SimNode {
  readonly nodeId: NodeId;
  readonly name: string;
  readonly journal: PretendJournal;
  readonly notes = new PretendNotes();
  readonly blobs = new WatchedBlobs();
  readonly models = new PretendModels();
  readonly trials = new PretendTrials();
  readonly #told: Told[] = [];
  /** Set by whoever checks the fleet. */
  ears: Ears | undefined;
  /** Blobs whose bytes came in a stream, be it from a peer or a client. */
  readonly streamed: BlobHash[] = [];
  /** Called when the agent begins to store bytes of its own. */
  onPut: ((bytes: Uint8Array) => void) | undefined;
  readonly executors: number;
  readonly part: NodePart;
  /** Of a healthy box. */
  readonly secondsPerItem: number;
  /** How many times longer an item takes now. */
  #slowness = 1;
  /** How long an fsync of its journal takes. */
  syncMs: [min: number, max: number] = [1, 5];
  /** What its sensors say otherwise than those of a box that is well. */
  vitals: Partial<Vitals> = {};
  /** Of lives that begin from now on. */
  signer: Signer;
  /** Of lives that begin from now on. */
  solver: Solver = pretendSolver;
  memoryFreeBytes: () => number = () => 4e9;
  /** Tasks of stages that began to run here, over all its lives. */
  readonly stageRuns: { pipeline: string; name: string }[] = [];
  /** Of operators and models of lives that begin from now on: one run. */
  readonly secondsPerRun = new Map<string, number>();
  /** Of blobs, to whoever asked, in streams. */
  bytesServed = 0;
  /** How often it compares its disk with the ledger. */
  sweepMs: number = TIMING.sweepMs;
  agent: Agent | undefined;
  stopRequested = false;
  hasLeft = false;
  engine: PretendEngine | undefined;
  /** Its data sets, if it has any; they outlive a crash. */
  fitting: PretendFitting | undefined;
  /** Set before it starts: it warms by its work. */
  body: Body | undefined;
  heat: Heat | undefined;
  network: PretendPeer | undefined;
  readonly #net: PretendNet;
  readonly #clock: Clock;
  readonly #randomness: Randomness;
  readonly #roster: RosterNode[];
  readonly #snapshotLimits: typeof SMALL_SNAPSHOTS;
  readonly #onFatal: (error: unknown) => void;
  #life: BoxClock | undefined;
  /** By a drill. */
  #isDrilledFull = false;

  constructor(
    init: {
      nodeId: NodeId;
      name: string;
      secondsPerItem: number;
      executors: number;
      roster: RosterNode[];
      part?: NodePart;
      snapshotLimits: typeof SMALL_SNAPSHOTS;
    },
    world: { net: PretendNet; clock: Clock; randomness: Randomness; onFatal: (error: unknown) => void },
  ) {
    this.nodeId = init.nodeId;
    this.name = init.name;
    this.signer = pretendSigner(init.nodeId);
    this.secondsPerItem = init.secondsPerItem;
    this.executors = init.executors;
    this.part = init.part ?? "full";
    this.#roster = init.roster;
    this.#snapshotLimits = init.snapshotLimits;
    this.blobs.onLoss = (blob) => this.ears?.onCopyLost(this, blob);
    this.#net = world.net;
    this.#clock = world.clock;
    this.#randomness = world.randomness;
    this.#onFatal = world.onFatal;
    this.journal = new PretendJournal(world.clock, () => {
      const [min, max] = this.syncMs;
      return min + (max - min) * world.randomness.random();
    });
  }

  get isUp(): boolean {
    return this.agent !== undefined;
  }

  async start(): Promise<void> {
    const life = new BoxClock(this.#clock);
    this.#life = life;
    const journal: Journal = this.journal.open();
    const secondsPerItem = this.secondsPerItem * this.#slowness;
    this.engine = new PretendEngine({ clock: life, executors: this.executors, secondsPerItem });
    this.engine.onStages = ({ pipeline, name }) => this.stageRuns.push({ pipeline, name });
    for (const [of, seconds] of this.secondsPerRun) this.engine.stages.secondsPerRun.set(of, seconds);
    this.network = this.#net.join(this.nodeId);
    this.heat = this.body && new Heat(this.body, this.#clock, () => this.engine?.busyShare ?? 0);
    const probed = { ...PROBED, facts: { ...FACTS, ...this.heat?.facts } };
    this.#countServed(this.network);
    const vitals = (): Vitals => ({
      memoryFreeBytes: this.memoryFreeBytes(),
      diskFreeBytes: this.#isDrilledFull ? 0 : 1e11,
      cpuLoad: 0.5,
      throttled: false,
      ...this.vitals,
      ...this.heat?.vitals(),
    });
    this.#fillDisk(false);
    watchLeases(this.network, {
      knownTerm: () => (this.agent?.holdsLedger ? this.agent.raftStatus().term : 0),
      onTaken: (lease) => this.ears?.onLeaseTaken(this, lease),
    });
    const agent = new Agent(
      {
        clock: life,
        randomness: this.#randomness,
        journal,
        notes: this.notes.open(),
        signer: this.signer,
        network: this.network,
        blobs: this.#slowly(life, this.blobs.open()),
        models: this.models.open(),
        engine: this.part === "witness" ? noEngine : this.engine,
        ...(this.part === "witness" ? {} : { trials: this.trials }),
        probe: {
          probe: async () => probed,
          vitals: async () => vitals(),
          storageSpeed: async () => ({ fsyncMs: this.syncMs[1] }),
          tryProviders: async () => [{ name: "cpu", works: true, reason: "pretend" }],
          view: async () => ({ ...probed, vitals: vitals(), found: [], missing: [] }),
        },
        ...(this.fitting && { fitting: this.fitting }),
        faults: pretendFaults({
          clock: this.#clock,
          kill: () => this.crash(),
          start: () => void (this.isUp || this.start()),
          freeze: () => this.freeze(),
          thaw: () => this.thaw(),
          fillDisk: (isFull) => this.#fillDisk(isFull),
        }),
        solver: this.solver,
        telemetry: this.#telemetry(),
        sha256,
      },
      {
        name: this.name,
        agentVersion: "0.1.0",
        apiUrl: "",
        identity: FLEET,
        roster: this.#roster,
        founder: false,
        part: this.part,
        probed,
        contents: await journal.load(),
        snapshotLimits: this.#snapshotLimits,
        sweepMs: this.sweepMs,
        readReport: readReportOnce,
        onStopRequested: () => {
          this.stopRequested = true;
        },
        onLeft: async () => {
          this.hasLeft = true;
        },
        onFatal: (error) => {
          if (this.#life === life) this.#onFatal(error);
        },
      },
    );
    watchLedger(agent.ledger, {
      onOutcome: (outcome) => this.ears?.onOutcome(this, outcome),
      onRestored: () => this.ears?.onRestored(this),
    });
    this.agent = agent;
    agent.start().catch((error: unknown) => {
      if (this.#life === life) this.#onFatal(error);
    });
  }

  /** SIGKILL. What was acknowledged by the journal stays; the rest may be lost, kept, or cut in the middle. */
  crash(): void {
    if (!this.#life) return;
    this.#life.stop();
    this.#life = undefined;
    this.agent = undefined;
    this.engine = undefined;
    this.network = undefined;
    this.#net.kill(this.nodeId);
    const outcomes = ["lost", "torn", "kept"] as const;
    this.journal.crash(outcomes[Math.floor(3 * this.#randomness.random())]!);
    this.blobs.crash();
    this.notes.crash();
    this.models.crash();
  }

  /** Every item takes so many times as long from now on, be it on a hot board or beside another program. */
  slow(times: number): void {
    this.#slowness = times;
    if (this.engine) this.engine.secondsPerItem = this.secondsPerItem * times;
  }

  /** SIGSTOP: no timer runs and nothing is heard until `thaw`. Packets wait on the wires meanwhile. */
  freeze(): void {
    this.#life?.freeze();
  }

  thaw(): void {
    this.#life?.thaw();
  }

  /** Until the next life at the latest. */
  #fillDisk(isFull: boolean): void {
    if (isFull !== this.#isDrilledFull) this.journal.isFull = isFull;
    this.#isDrilledFull = isFull;
  }

  #countServed(network: PretendPeer): void {
    const { serveBlobs } = network;
    const counted = async function* (this: SimNode, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunks) {
        this.bytesServed += chunk.length;
        yield chunk;
      }
    };
    network.serveBlobs = (source) =>
      serveBlobs.call(network, async (...asked) => {
        const blob = await source(...asked);
        return blob && { ...blob, chunks: counted.call(this, blob.chunks) };
      });
  }

  /** Writing and removing takes a moment, before and after it is done, so that a crash may come between any two steps. */
  #slowly(life: Clock, blobs: Blobs): Blobs {
    const pause = (): Promise<void> => new Promise((resolve) => life.after(2 * this.#randomness.random(), resolve));
    const slowed = async <T>(work: () => Promise<T>): Promise<T> => {
      await pause();
      const done = await work();
      await pause();
      return done;
    };
    return {
      put: (source, expected) => {
        if (source instanceof Uint8Array) this.onPut?.(source);
        else if (expected) this.streamed.push(expected);
        return slowed(() => blobs.put(source, expected));
      },
      remove: (hash) => slowed(() => blobs.remove(hash)),
      size: (hash) => blobs.size(hash),
      read: (hash) => blobs.read(hash),
      arrival: (hash, bytes) => blobs.arrival(hash, bytes),
      verify: (hash) => blobs.verify(hash),
      stream: (hash, offset, length) => blobs.stream(hash, offset, length),
      list: () => blobs.list(),
      freeBytes: async () => (this.#isDrilledFull ? 0 : blobs.freeBytes()),
      close: () => blobs.close(),
    };
  }

  get story(): string[] {
    return this.storySince(0);
  }

  /** What it told since then, a line each. */
  storySince(sinceMs: number): string[] {
    const told = this.#told.filter(({ atMs }) => atMs >= sinceMs);
    return told.map(({ atMs, event, facts }) => `${Math.round(atMs)} ${this.name} ${event} ${JSON.stringify(facts)}`);
  }

  #telemetry(): Telemetry {
    return {
      log: (_level, event, facts) => {
        this.#told.push({ atMs: this.#clock.monotonicMs(), event, facts: facts ?? {} });
        if (this.#told.length > 2 * STORY_EVENTS) this.#told.splice(0, STORY_EVENTS);
      },
    };
  }
}
