import { SkeinError } from "../../shared/errors.ts";
import type { NodePart, RosterNode } from "../../shared/fleet.ts";
import { type JobId, type NodeId, shortNodeId } from "../../shared/ids.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import type { RaftEntry } from "../../shared/raft.ts";
import { hashToBytes } from "../../shared/wire/codec.ts";
import { decodeLedgerEntry } from "../../shared/wire/ledger.ts";
import { Fleet, type FleetEffect, type FleetEvent } from "../core/fleet/index.ts";
import { type JobRecord, Ledger, type LedgerEvent, type LedgerOutcome } from "../core/ledger/index.ts";
import { membersOf, Raft, type RaftRole, type RaftStatus } from "../core/raft/index.ts";
import type { Cancel, JournalContents, ProbeResult } from "../ports/index.ts";
import { BlobAccess } from "./blob-access.ts";
import { Box } from "./box.ts";
import { answerVerifications } from "./checking.ts";
import { CopiesLoop } from "./copies-loop.ts";
import { Departure } from "./departure.ts";
import { Deputy } from "./deputy.ts";
import { Drills } from "./drill/drills.ts";
import { Events } from "./events.ts";
import { Front, type FrontParts } from "./front.ts";
import { type FleetListener, GossipLoop, type ReportReader } from "./gossip-loop.ts";
import { Handover } from "./handover.ts";
import { LeaderLoop } from "./leader-loop.ts";
import { LedgerFace } from "./ledger-face.ts";
import { LedgerNews } from "./ledger-news.ts";
import { LinkSpeeds } from "./link-speeds.ts";
import { type FleetIdentity, Membership } from "./membership.ts";
import { Bench } from "./models/bench.ts";
import { ModelKeeper } from "./models/keeper.ts";
import { ModelRegistry } from "./models/registry.ts";
import { WatchedEngine } from "./models/watched-engine.ts";
import { Online } from "./online.ts";
import { Outlook } from "./outlook.ts";
import { Peers } from "./peers.ts";
import { PlacementLoop } from "./placement-loop.ts";
import { Proposer } from "./proposer.ts";
import { RaftDriver } from "./raft-driver.ts";
import { Reader } from "./reader.ts";
import { Recovery } from "./recovery.ts";
import { Retention } from "./retention.ts";
import { RuleBook } from "./rule-book.ts";
import { Scrub } from "./scrub.ts";
import { Settings } from "./settings.ts";
import { SNAPSHOT_LIMITS, type SnapshotLimits } from "./snapshot-taking.ts";
import { Snapshots } from "./snapshots.ts";
import { SpareBlobs } from "./spare-blobs.ts";
import { Standing } from "./standing.ts";
import type { Surroundings } from "./surroundings.ts";
import { Sweep } from "./sweep.ts";
import { linkFigures } from "./views.ts";
import { delay } from "./waiting.ts";
import { WitnessLog } from "./witness-log.ts";
import { WorkerDriver } from "./worker-driver.ts";
import { ruledOut, rulesOf } from "./workers.ts";

export interface AgentInit {
  name: string;
  agentVersion: string;
  apiUrl: string;
  identity: FleetIdentity;
  /** Known members until the ledger says better: what the welcome told, or this node alone for a founder. */
  roster: RosterNode[];
  founder: boolean;
  part: NodePart;
  probed: ProbeResult;
  contents: JournalContents;
  /** Default: as in shared/limits.ts. */
  snapshotLimits?: Partial<SnapshotLimits>;
  /** Default: as in shared/limits.ts. */
  sweepMs?: number;
  /** Default: decodes each. A simulator hands the same bytes to a thousand agents. */
  readReport?: ReportReader;
  onStopRequested: () => void;
  /** This box has left the fleet: its folder must not be started again. */
  onLeft: () => Promise<void>;
  onFatal: (error: unknown) => void;
}

/**
 * Appends on their way to one peer. On a LAN a third hides the round trip; more would only be smaller, and each costs
 * every box a system call and an encryption: with 16 of them a write under load took half again as much of the leader's core.
 */
const APPENDS_IN_FLIGHT = 3;

/** Every node reports every few seconds, and little of it changes what is leased: the leader takes in together what came meanwhile. */
const FIGURES_MS = 100;

/** Before an executor that broke at its first measurement is measured again. */
const MEASURE_AGAIN_MS = 1_000;
const MEASURED_AGAIN_AFTER: readonly string[] = ["EXECUTOR_DIED", "EXECUTORS_BUSY", "DEADLINE_EXCEEDED"];

/** One agent: the cores, the drivers that carry their effects, and the face it shows. Knows no room of io/. */
export class Agent extends Front {
  readonly #world: Surroundings;
  readonly #init: AgentInit;
  readonly #events: Events;
  readonly #ledger = new Ledger();
  readonly #driver: RaftDriver;
  readonly #proposer: Proposer;
  readonly #reader: Reader;
  readonly #settings: Settings;
  readonly #peers: Peers;
  readonly #blobAccess: BlobAccess;
  readonly #gossip: GossipLoop;
  readonly #worker: WorkerDriver;
  readonly #membership: Membership;
  readonly #copies: CopiesLoop;
  readonly #placement: PlacementLoop;
  readonly #retention: Retention;
  readonly #sweep: Sweep;
  readonly #scrub: Scrub;
  readonly #snapshots: Pick<Snapshots, keyof Snapshots>;
  readonly #standing: Standing;
  readonly #outlook: Outlook;
  readonly #news: LedgerNews;
  readonly #deputy: Deputy;
  readonly #handover: Handover;
  readonly #online: Online;
  readonly #bench: Bench;
  readonly #registry: ModelRegistry;
  readonly #departure: Departure;
  readonly #recovery: Recovery;
  readonly #drills: Drills;
  readonly #speeds: LinkSpeeds;
  readonly #box: Box;
  readonly #keeper: ModelKeeper;
  protected readonly front: FrontParts;
  #leading: LeaderLoop | undefined;
  #told: { term: number; role: RaftRole; leader?: NodeId } = { term: 0, role: "follower" };
  readonly #loaded = Promise.withResolvers<void>();
  #figuresDue: Cancel | undefined;
  #ready = false;
  #stopped = false;

  constructor(surroundings: Surroundings, init: AgentInit) {
    super();
    const spare = new SpareBlobs(surroundings.blobs, surroundings.clock);
    const engine = new WatchedEngine(surroundings.engine, surroundings.clock);
    const world = { ...surroundings, blobs: spare, engine };
    this.#world = world;
    this.#init = init;
    this.#events = new Events(world.clock, world.telemetry);
    this.#news = new LedgerNews(this.#events);
    this.#peers = new Peers(world.network);
    const raft = new Raft({
      id: world.network.self,
      electionTicks: TIMING.electionTicks,
      electionTicksMax: TIMING.electionTicksMax,
      heartbeatTicks: TIMING.heartbeatTicks,
      inflightMessagesMax: APPENDS_IN_FLIGHT,
      random: () => world.randomness.random(),
      digest: (data) => hashToBytes(world.sha256(data)),
      initial: init.contents,
    });
    this.#driver = new RaftDriver(raft, world, {
      onEntry: (entry) => this.#snapshots.entry(entry),
      onRead: (read) => this.#reader.answered(read),
      onSnapshotMessage: (message) => this.#snapshots.received(message),
      onSnapshot: (snapshot) => this.#snapshots.install(snapshot),
      onSnapshotSent: (to, snapshot) => this.#snapshots.sent(to, snapshot),
      onStatus: (status) => this.#statusChanged(status),
      onPace: (news) => this.#events.emit("paceChanged", { ...news }),
      onFatal: init.onFatal,
    });
    this.#standing = new Standing(world, {
      part: init.part,
      roster: init.roster,
      driver: this.#driver,
      ledger: this.#ledger,
      peers: this.#peers,
      onChange: () => this.#standingChanged(),
    });
    this.#outlook = new Outlook(world, this.#standing, () => this.#gossip.nodes());
    const holdsLedger = () => this.#standing.holdsLedger;
    const members = () => this.#standing.members();
    const noQuorum = this.#outlook.noQuorum;
    this.#proposer = new Proposer(this.#driver, this.#peers, world, { noQuorum, holdsLedger, members });
    this.#reader = new Reader(this.#driver, world, this.#outlook.noQuorum);
    this.#settings = new Settings(this.#ledger, this.#proposer, this.#reader);
    const itemsQueued = () => this.#worker.itemsQueued;
    this.#speeds = new LinkSpeeds(world, {
      peers: this.#peers,
      itemsQueued,
      nodes: () => this.#standing.roster().length,
      onChange: () => this.#gossip.changed(),
    });
    this.#box = new Box(world, {
      probed: init.probed,
      events: this.#events,
      itemsQueued,
      links: () => linkFigures(this.#outlook.nodes(), (nodeId) => this.#speeds.of(nodeId)),
      onChange: () => this.#gossip.changed(),
    });
    this.#blobAccess = new BlobAccess(world, this.#peers, this.#events, this.#outlook.reachable, (from, chunks) =>
      this.#speeds.metered(from, chunks),
    );
    this.#membership = new Membership(world, init.identity, {
      driver: this.#driver,
      ledger: this.#ledger,
      proposer: this.#proposer,
      events: this.#events,
      standing: this.#standing,
      nodes: this.#outlook.nodes,
    });
    this.#worker = new WorkerDriver(world, {
      fleetId: init.identity.fleetId,
      blobAccess: this.#blobAccess,
      peers: this.#peers,
      events: this.#events,
      leader: () => this.#standing.leader(),
      // Of a seat that was lost, no leader need ever hear the term.
      term: () => (this.#standing.holdsLedger ? this.#driver.status().term : 0),
      doubtLeader: () => this.#standing.doubtLeader(),
      isRecorded: ({ jobId, item, node, shardId, finishedAtMs }) => {
        const known = this.#ledger.jobs.get(jobId)?.results[item];
        return known?.node === node && known.shardId === shardId && known.finishedAtMs === finishedAtMs;
      },
      places: this.#outlook.places,
      onRateChange: () => this.#gossip.changed(),
      guess: (pipeline) => this.#bench.guess(pipeline),
    });
    this.#bench = new Bench(world, {
      hardware: init.probed.facts,
      engine,
      events: this.#events,
      itemsQueued: () => this.#worker.itemsQueued,
      nodes: this.#outlook.nodes,
      onChange: () => this.#gossip.changed(),
    });
    answerVerifications(world, { peers: this.#peers, blobAccess: this.#blobAccess, signer: this.#worker.signer });
    const fleetListener: FleetListener = (effects, event) => this.#fleetChanged(effects, event);
    const fleet = new Fleet({ self: world.network.self });
    this.#gossip = new GossipLoop(world, fleet, this.#figures(), fleetListener, init.readReport);
    const { ledger, peers, proposer, events } = this.#parts();
    this.#snapshots = init.part === "witness" ? this.#witnessLog() : this.#makeSnapshots();
    this.#online = new Online(world, {
      peers,
      nodes: this.#outlook.nodes,
      ownRate: (pipeline) => this.#worker.rates().find((rate) => rate.pipeline === pipeline)?.itemsPerSecond,
      ownQueue: () => this.#worker.itemsQueued,
      keptFrom: (pipeline, node) => {
        const ruling = { rules: rulesOf(this.#ledger.planning), nowMs: world.clock.nowMs() };
        return ruledOut(pipeline, node, ruling);
      },
    });
    const places = this.#outlook.places;
    this.#copies = new CopiesLoop(world, {
      ...{ ledger, peers, proposer, events, places },
      nodes: this.#outlook.nodes,
    });
    this.#placement = new PlacementLoop(world, { ledger, proposer, events, nodes: this.#outlook.nodes });
    this.#retention = new Retention(world, { ledger, peers, proposer, events, reachable: this.#outlook.reachable });
    this.#sweep = new Sweep(world, {
      ...this.#parts(),
      spare,
      reader: this.#reader,
      standing: this.#standing,
      places,
      isClaimed: (hash) => this.#snapshots.isClaimed(hash) || this.#keeper.isClaimed(hash),
      sweepMs: init.sweepMs ?? TIMING.sweepMs,
    });
    this.#scrub = new Scrub(world, { spare, peers, proposer, events, itemsQueued: () => this.#worker.itemsQueued });
    const common = { ...this.#parts(), driver: this.#driver, nodes: this.#outlook.nodes };
    const { fleetName } = init.identity;
    this.#handover = new Handover(world, common);
    this.#departure = new Departure(world, {
      ...common,
      fleetName,
      standing: this.#standing,
      handover: this.#handover,
      copiesOwed: (node) => this.#deputy.call("copiesOwed", node),
      onLeft: init.onLeft,
      requestStop: () => this.requestStop(),
    });
    this.#recovery = new Recovery(world, { ...common, fleetName });
    const standing = this.#standing;
    const handover = this.#handover;
    this.#drills = new Drills(
      world,
      { ...common, standing, handover, submit: (spec) => this.submit(spec) },
      () => this.#deputy,
    );
    this.#keeper = this.#makeKeeper();
    this.#deputy = new Deputy(world, this.#peers, {
      loaded: this.#loaded.promise,
      holdsLedger,
      members,
      own: this.#ledgerFace(),
    });
    this.#registry = new ModelRegistry(world, {
      ...this.#parts(),
      deputy: this.#deputy,
      places: this.#outlook.places,
      noQuorum: this.#outlook.noQuorum,
      room: { name: init.name, memoryUsableBytes: init.probed.facts.memoryUsableBytes },
    });
    this.front = this.#frontParts();
    this.#answerPeers();
  }

  /** Joins the fleet at once; the executors warm up and are measured behind it. */
  async start(): Promise<void> {
    await this.#world.network.start();
    this.#rosterChanged();
    this.#gossip.start();
    await this.#snapshots.load(this.#init.contents.snapshot);
    this.#loaded.resolve();
    await this.#worker.recall();
    if (this.#stopped) return;
    this.#snapshots.start();
    this.#driver.start();
    this.#standing.start();
    this.#membership.start();
    this.#handover.start();
    this.#worker.start();
    await this.#drills.start();
    this.#sweep.start();
    this.#scrub.start();
    this.#speeds.start();
    this.#events.emit("agentStarted", { name: this.#init.name, node: this.#world.network.self });
    await this.#bench.load();
    await this.#world.engine.start();
    this.#bench.start();
    await this.#calibrate();
    this.#keeper.start();
    this.#ready = true;
    this.#events.emit("agentReady", { name: this.#init.name, executors: this.#world.engine.executors });
    if (!this.#stopped) void this.#box.start();
  }

  /** An executor that dies while it is measured is replaced like any other; the agent goes on without until then. */
  async #calibrate(): Promise<void> {
    for (;;)
      try {
        return await this.#worker.calibrate();
      } catch (error) {
        const { code, message } = SkeinError.from(error);
        if (this.#stopped || !MEASURED_AGAIN_AFTER.includes(code)) throw error;
        this.#events.emit("calibrationFailed", { reason: message }, "warn");
        await delay(this.#world.clock, MEASURE_AGAIN_MS);
      }
  }

  /** In the reverse order; what is running is given up, what is recorded stays. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#ready = false;
    this.#figuresDue?.();
    this.#leading?.end();
    this.#copies.end();
    this.#placement.end();
    this.#retention.end();
    this.#box.stop();
    this.#speeds.stop();
    this.#scrub.stop();
    this.#sweep.stop();
    this.#keeper.stop();
    this.#worker.stop();
    this.#drills.stop();
    this.#handover.stop();
    this.#membership.stop();
    this.#standing.stop();
    this.#gossip.stop();
    this.#snapshots.stop();
    this.#driver.stop();
    await this.#world.network.stop();
    await this.#bench.stop();
    await this.#world.engine.stop();
    await this.#world.solver.close();
    await this.#world.notes.close();
    await this.#world.journal.close();
    await this.#world.blobs.close();
  }

  /** For tests and the simulator, after every step. The ledger, which only grows, is asked by itself. */
  assertSound(): void {
    this.#driver.raft.assertSound();
    this.#leading?.assertSound();
  }

  /** What waits in this agent, against its bound: for tests and the simulator. */
  queues(): { what: string; length: number; max: number }[] {
    return [
      { what: "items in the worker's hands", length: this.#worker.itemsQueued, max: LIMITS.jobItemsMax },
      { what: "proposals under way", length: this.#proposer.underWay, max: LIMITS.proposalsMax },
      { what: "events kept", length: this.#events.kept, max: LIMITS.eventsKeptMax },
      { what: "models being added", length: this.#registry.addsUnderWay, max: LIMITS.modelAddsMax },
      { what: "answers kept for others", length: this.#deputy.answersKept, max: LIMITS.deputyAnswersKept },
    ];
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  /** False on a worker, a witness, and a learner that has not caught up. */
  get holdsLedger(): boolean {
    return this.#standing.holdsLedger;
  }

  raftStatus(): RaftStatus {
    return this.#driver.status();
  }

  // ---- how the parts move one another

  #parts(): { ledger: Ledger; peers: Peers; proposer: Proposer; events: Events; blobAccess: BlobAccess } {
    return {
      ledger: this.#ledger,
      peers: this.#peers,
      proposer: this.#proposer,
      events: this.#events,
      blobAccess: this.#blobAccess,
    };
  }

  #frontParts(): FrontParts {
    return {
      ...this.#parts(),
      world: this.#world,
      name: this.#init.name,
      identity: this.#init.identity,
      part: this.#init.part,
      standing: this.#standing,
      outlook: this.#outlook,
      scrub: this.#scrub,
      box: this.#box,
      online: this.#online,
      bench: this.#bench,
      departure: this.#departure,
      recovery: this.#recovery,
      deputy: this.#deputy,
      registry: this.#registry,
      predictionErrorsOf: (nodeId) => this.#leading?.predictionErrorsOf(nodeId) ?? [],
      isReady: () => this.#ready,
      onStopRequested: this.#init.onStopRequested,
    };
  }

  #makeSnapshots(): Snapshots {
    return new Snapshots(this.#world, {
      ...this.#parts(),
      driver: this.#driver,
      limits: this.#init.snapshotLimits ?? {},
      reachable: this.#outlook.reachable,
      apply: (entry) => this.#apply(entry),
      onRestored: (index, before) => this.#restored(index, before),
      onFatal: this.#init.onFatal,
    });
  }

  #witnessLog(): WitnessLog {
    return new WitnessLog(this.#world, {
      driver: this.#driver,
      ...SNAPSHOT_LIMITS,
      ...this.#init.snapshotLimits,
      apply: (entry) => this.#apply(entry),
      onRestored: (index) => this.#restored(index, new Map()),
      onFatal: this.#init.onFatal,
    });
  }

  #ledgerFace(): LedgerFace {
    return new LedgerFace(this.#world, {
      ...this.#parts(),
      fleetId: this.#init.identity.fleetId,
      membership: this.#membership,
      settings: this.#settings,
      ruleBook: new RuleBook({ ledger: this.#ledger, proposer: this.#proposer, nodes: this.#outlook.nodes }),
      departure: this.#departure,
      handover: this.#handover,
      drills: this.#drills,
      places: this.#outlook.places,
      nodes: this.#outlook.nodes,
      reachable: this.#outlook.reachable,
      leader: () => this.#standing.leader(),
    });
  }

  #figures(): ConstructorParameters<typeof GossipLoop>[2] {
    const { name, agentVersion, apiUrl } = this.#init;
    return {
      name,
      agentVersion,
      hardware: () => this.#box.facts(),
      vitals: () => this.#box.vitals(),
      links: () => this.#speeds.links(),
      executors: this.#world.engine.executors,
      apiUrl,
      rates: () => this.#worker.rates(),
      itemsQueued: () => this.#worker.itemsQueued,
      profiles: () => this.#bench.profiles(),
      models: () => this.#keeper.models(),
    };
  }

  #makeKeeper(): ModelKeeper {
    const { self } = this.#world.network;
    return new ModelKeeper(this.#world, {
      ...this.#parts(),
      wanted: (mark) => this.#deputy.call("modelsFor", self, mark),
      profiles: () => this.#bench.profiles(),
      isInHand: (digest) => this.#registry.inHand.has(digest),
      holds: (pipeline) => this.#worker.holds(pipeline),
      measure: (pipeline) => this.#worker.calibrateOne(pipeline),
      withhold: (pipeline, isWithheld) => this.#worker.withhold(pipeline, isWithheld),
      forget: (pipeline) => this.#worker.forget(pipeline),
      onChange: () => this.#gossip.changed(),
    });
  }

  #answerPeers(): void {
    this.#peers.answer("report", (from, { results }) => this.#lead().takeReport(from, results));
    this.#peers.answer("workAt", async (_from, { nodeId }) => ({ items: this.#lead().workAt(nodeId) }));
    this.#peers.answer("story", async (_from, { jobId }) => this.#lead().story(jobId));
    this.#peers.answer("jobNews", async (_from, { jobId }) => this.#lead().news(jobId));
  }

  #lead(): LeaderLoop {
    if (!this.#leading) throw new SkeinError("NOT_LEADER", { leader: this.#standing.leader() });
    return this.#leading;
  }

  #apply(entry: RaftEntry): void {
    if (entry.kind !== "normal" || entry.data.length === 0) {
      this.#ledger.pass(entry.index);
      this.#proposer.applied(entry.index, entry.term, undefined);
      if (entry.kind === "configuration") this.#rosterChanged();
    } else {
      this.#applyLedgerEntry(entry);
    }
    this.#reader.applied(entry.index);
    this.#standing.moved();
    if (this.#leading) return;
    // A leader's first committed entry of its own term proves that it may speak for the log.
    const { role, term } = this.#driver.status();
    if (role === "leader" && entry.term === term) this.#beginToLead(term);
  }

  /** A snapshot took the place of entries that were never applied here. */
  #restored(index: number, before: ReadonlyMap<JobId, JobRecord>): void {
    this.#proposer.skippedTo(index);
    this.#reader.applied(index);
    this.#standing.moved();
    this.#rosterChanged();
    this.#news.restored(this.#ledger, before);
    this.#keeper.moved();
  }

  #applyLedgerEntry(entry: RaftEntry): void {
    let outcome: LedgerOutcome;
    try {
      outcome = this.#ledger.apply(decodeLedgerEntry(entry.data), entry.index);
    } catch (error) {
      // Undecodable here is undecodable everywhere: a recorded no-op, and never the end of an agent.
      const fault = SkeinError.from(error);
      if (fault.code !== "FRAME_INVALID") throw error;
      this.#ledger.pass(entry.index);
      this.#events.emit("ledgerEntryUnreadable", { index: entry.index, reason: fault.message }, "error");
      outcome = { applied: false, error: fault, events: [] };
    }
    for (const event of outcome.events) this.#ledgerMoved(event);
    this.#proposer.applied(entry.index, entry.term, outcome);
  }

  #ledgerMoved(event: LedgerEvent): void {
    if (event.kind === "rosterChanged") this.#rosterChanged();
    this.#news.moved(event);
    this.#leading?.ledgerMoved(event);
    this.#copies.ledgerMoved(event);
    this.#placement.ledgerMoved(event);
    this.#sweep.ledgerMoved(event);
    if (event.kind === "placementDecided" || event.kind === "modelRemoved") this.#keeper.moved();
  }

  #beginToLead(term: number): void {
    const { ledger, proposer, peers, events } = this.#parts();
    this.#leading = new LeaderLoop(this.#world, { term, ledger, proposer, peers, events, nodes: this.#outlook.nodes });
    this.#copies.begin();
    this.#placement.begin(term);
    this.#retention.begin();
    this.#events.emit("leadershipBegun", { term });
    if (ledger.fleetId === undefined && this.#init.founder) void this.#found();
    this.#leading.begin().catch((error: unknown) => this.#init.onFatal(error));
  }

  async #found(): Promise<void> {
    const { identity, name } = this.#init;
    const { self } = this.#world.network;
    const founder = { nodeId: self, name, addresses: this.#world.network.addresses() };
    try {
      const { fleetId, fleetName } = identity;
      await this.#proposer.propose({ kind: "fleetFounded", fleetId, name: fleetName, founder });
    } catch (error) {
      this.#init.onFatal(error);
    }
  }

  #statusChanged(status: RaftStatus): void {
    if (status.role !== "leader" && this.#leading) {
      this.#leading.end();
      this.#leading = undefined;
      this.#copies.end();
      this.#placement.end();
      this.#retention.end();
      this.#events.emit("leadershipEnded", { term: status.term });
    }
    this.#tellLeader();
  }

  #standingChanged(): void {
    this.#rosterChanged();
    this.#tellLeader();
  }

  /** By the own log, or for a node without the log by what it was told. */
  #tellLeader(): void {
    const { term, leader } = this.#standing.status();
    const role = this.#standing.holdsLedger ? this.#driver.status().role : "follower";
    const told = this.#told;
    if (told.term === term && told.role === role && told.leader === leader) return;
    this.#told = { term, role, ...(leader ? { leader } : {}) };
    this.#events.emit("leaderChanged", { ...this.#told, ...(leader ? { name: this.#standing.nameOf(leader) } : {}) });
    this.#gossip.step({ kind: "leaderChanged", leader });
    if (!leader) return;
    this.#worker.leaderKnown();
    this.#proposer.leaderChanged(leader);
    this.#reader.leaderChanged();
  }

  /**
   * Who may connect: the roster, and whoever Raft's configuration names. After a restart the log knows members whose
   * admission is not applied yet; to refuse them would be to wait for ever for the ones who could tell.
   */
  #rosterChanged(): void {
    const agreed = this.#standing.roster();
    const known = new Set(agreed.map((node) => node.nodeId));
    const named = membersOf(this.#standing.status().conf).filter((nodeId) => !known.has(nodeId));
    const strangers = named.map((nodeId) => ({ nodeId, name: shortNodeId(nodeId), addresses: [], admittedAtIndex: 0 }));
    const roster = [...agreed, ...strangers];
    this.#world.network.admit(roster);
    this.#speeds.keepOnly(new Set(roster.map(({ nodeId }) => nodeId)));
    const atMs = this.#world.clock.monotonicMs();
    this.#gossip.step({ kind: "rosterChanged", roster, roles: this.#standing.roles(), atMs });
  }

  #fleetChanged(effects: FleetEffect[], event: FleetEvent["kind"]): void {
    for (const { nodeId, from, to, because } of effects)
      this.#events.emit("nodePresenceChanged", {
        node: nodeId,
        name: this.#standing.nameOf(nodeId),
        from,
        to,
        because,
      });
    if (effects.length > 0 || event === "linkChanged" || event === "rosterChanged") {
      this.#leading?.fleetChanged();
      this.#placement.fleetChanged();
    } else if (this.#leading) this.#figuresDue ??= this.#world.clock.after(FIGURES_MS, () => this.#figuresChanged());
  }

  #figuresChanged(): void {
    this.#figuresDue = undefined;
    this.#leading?.fleetChanged();
    this.#placement.fleetChanged();
  }
}
