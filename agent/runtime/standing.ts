import { SkeinError } from "../../shared/errors.ts";
import type { NodePart, NodeRole, RosterNode } from "../../shared/fleet.ts";
import type { NodeId } from "../../shared/ids.ts";
import { TIMING } from "../../shared/limits.ts";
import type { FleetNews } from "../../shared/peer-requests.ts";
import type { ConfState } from "../../shared/raft.ts";
import type { Ledger } from "../core/ledger/index.ts";
import { isWitness, membersOf } from "../core/raft/index.ts";
import type { Cancel } from "../ports/index.ts";
import type { Peers } from "./peers.ts";
import type { RaftDriver } from "./raft-driver.ts";
import type { Surroundings } from "./surroundings.ts";

export interface StandingInit {
  part: NodePart;
  /** Known members until the fleet says better. */
  roster: readonly RosterNode[];
  driver: RaftDriver;
  ledger: Ledger;
  peers: Peers;
  /** Leader, roster or configuration may have changed. */
  onChange: () => void;
}

/** Who leads and who counts, as far as this node knows. */
export interface FleetStatus {
  term: number;
  leader?: NodeId;
  commit: number;
  conf: ConfState;
}

/** News as they are kept: with the roster, told with them or before. */
type KeptNews = Omit<FleetNews, "roster"> & { roster: ReadonlyMap<NodeId, RosterNode> };

/** Of so many questions one goes to whoever comes next, for all that is known of who votes may be old. */
const ANYONE_EVERY = 4;
/** News that nobody confirmed for so long does not rule out other news any more. */
const NEWS_OLD_MS = 10 * TIMING.fleetNewsMs;

/**
 * Where this node stands. One that holds the ledger reads the fleet from its own log. A worker, a witness, a learner that
 * has not caught up and a voter that lost its seat while it was away do not: they ask one that holds it, every second and
 * at once when they know of no leader.
 */
export class Standing {
  readonly #world: Surroundings;
  readonly #init: StandingInit;
  /** Own log and ledger are the fleet's word. Taken away by news of a later configuration without this node. */
  #holdsLedger: boolean;
  readonly #rosterAtStart: ReadonlyMap<NodeId, RosterNode>;
  /** What was heard last while that was not so. */
  #news: KeptNews | undefined;
  #heardAtMs = 0;
  #asking = false;
  #turn = 0;
  #next: Cancel = () => {};
  /** Asked for some times a second, among a thousand links. */
  readonly #linked = new Set<NodeId>();
  /** Where among the others it begins to ask, 0 to 1: nodes that start together and know nobody would all ask the same one. */
  readonly #startsAt: number;
  #stopped = false;

  constructor(world: Surroundings, init: StandingInit) {
    this.#world = world;
    this.#init = init;
    this.#startsAt = world.randomness.random();
    this.#rosterAtStart = byId(init.roster);
    this.#holdsLedger = init.part === "full" && this.#isIn(init.driver.status().conf);
    // Before anyone else listens, for whoever does may ask who leads.
    world.network.onLink(({ nodeId, state }) => {
      if (state === "down") this.#linked.delete(nodeId);
      else this.#linked.add(nodeId);
    });
    init.peers.answer("fleetNews", async (_from, { rosterIndex }) => this.#tell(rosterIndex));
  }

  start(): void {
    this.#world.network.onLink(({ nodeId, state }) => {
      if (this.#holdsLedger || (state === "suspect" && nodeId !== this.#news?.leader)) return;
      if (nodeId === this.#news?.leader) this.#init.onChange();
      this.#askSoon(0);
    });
    this.#askSoon(0);
  }

  stop(): void {
    this.#stopped = true;
    this.#next();
  }

  get holdsLedger(): boolean {
    return this.#holdsLedger;
  }

  status(): FleetStatus {
    const own = this.#init.driver.status();
    const news = this.#news;
    if (this.#holdsLedger || !news) return own;
    const { term, leader, appliedIndex, conf } = news;
    if (this.#followsLog()) {
      const newest = news.appliedIndex > own.applied ? conf : own.conf;
      return { term: own.term, commit: own.commit, conf: newest, ...(own.leader ? { leader: own.leader } : {}) };
    }
    const isLinked = leader !== undefined && this.#linked.has(leader);
    return { term: Math.max(term, own.term), commit: appliedIndex, conf, ...(isLinked ? { leader } : {}) };
  }

  leader(): NodeId | undefined {
    return this.status().leader;
  }

  /** The roster by the newest word there is. */
  roster(): readonly RosterNode[] {
    return [...this.#rosterById().values()];
  }

  /** Its own id for one that is not on the roster. */
  nameOf(nodeId: NodeId): string {
    return this.#rosterById().get(nodeId)?.name ?? nodeId;
  }

  #rosterById(): ReadonlyMap<NodeId, RosterNode> {
    const { ledger } = this.#init;
    if (!this.#holdsLedger && this.#news) return this.#news.roster;
    return ledger.fleetId === undefined ? this.#rosterAtStart : ledger.roster;
  }

  roles(): ReadonlyMap<NodeId, NodeRole> {
    const { conf } = this.status();
    const roles = new Map<NodeId, NodeRole>(conf.learners.map((nodeId) => [nodeId, "learner"]));
    for (const { nodeId, part } of this.roster()) if (part === "witness") roles.set(nodeId, "witness");
    for (const nodeId of [...conf.voters, ...conf.votersOutgoing])
      roles.set(nodeId, isWitness(conf, nodeId) ? "witness" : "voter");
    return roles;
  }

  /** Linked nodes, those most likely to hold the ledger first: all that is known of the others may be old. */
  members(): NodeId[] {
    return [...new Set([...this.#likely(), ...this.#anyone()])];
  }

  #likely(): NodeId[] {
    const { conf, leader } = this.status();
    const full = membersOf(conf).filter((nodeId) => !isWitness(conf, nodeId));
    return [...(leader ? [leader] : []), ...full].filter((nodeId) => this.#linked.has(nodeId));
  }

  #anyone(): NodeId[] {
    const linked = [...this.#linked];
    const first = Math.floor(this.#startsAt * linked.length);
    return [...linked.slice(first), ...linked.slice(0, first)];
  }

  /** A request found that the leader is not who it was. */
  doubtLeader(): void {
    if (!this.#holdsLedger) this.#askSoon(0);
  }

  /** The own log moved on. A learner that comes as far as the news it heard holds the ledger from then on. */
  moved(): void {
    if (this.#holdsLedger || this.#init.part === "witness") return;
    const own = this.#init.driver.status();
    const news = this.#news;
    const hasCaughtUp =
      this.#followsLog() && news !== undefined && this.#isIn(news.conf) && own.applied >= news.appliedIndex;
    // Whoever leads knows, be it after a recovery that no news told of.
    if (!hasCaughtUp && own.role !== "leader") return;
    this.#holdsLedger = true;
    this.#news = undefined;
    this.#init.onChange();
  }

  /** A member by its own log, which the leader keeps up to date. */
  #followsLog(): boolean {
    const { driver } = this.#init;
    return driver.isInTouch(TIMING.fleetNewsMs) && this.#isIn(driver.status().conf);
  }

  /** Also at second hand: one that was away for long may know nobody who holds the ledger now. */
  #tell(rosterIndexKnown: number): FleetNews {
    const { peers, ledger } = this.#init;
    const { term, leader, commit, conf } = this.status();
    if (this.#holdsLedger ? ledger.fleetId === undefined : !this.#news)
      throw new SkeinError("NOT_A_MEMBER", { peer: peers.self });
    const appliedIndex = this.#holdsLedger ? ledger.appliedIndex : Math.min(commit, this.#news?.appliedIndex ?? 0);
    const rosterIndex = this.#holdsLedger ? ledger.rosterIndex : this.#news!.rosterIndex;
    const roster = rosterIndex === rosterIndexKnown ? {} : { roster: [...this.#rosterById().values()] };
    return { term, ...(leader ? { leader } : {}), appliedIndex, rosterIndex, ...roster, conf };
  }

  #askSoon(delayMs: number): void {
    if (this.#stopped) return;
    this.#next();
    this.#next = this.#world.clock.after(delayMs, () => void this.#ask());
  }

  /** A member that hears its leader knows more than anyone could tell it. */
  async #ask(): Promise<void> {
    if (this.#asking) return;
    const isCurious = !this.#holdsLedger || !this.#init.driver.isInTouch(TIMING.fleetNewsMs);
    this.#asking = true;
    if (isCurious) await this.#askOne();
    this.#asking = false;
    const isLost = !this.#holdsLedger && this.leader() === undefined;
    this.#askSoon(isLost ? TIMING.fleetNewsAgainMs : TIMING.fleetNewsMs);
  }

  async #askOne(): Promise<void> {
    const whom = this.#whomToAsk();
    if (whom === undefined) return;
    try {
      const known = this.#news;
      const question = { rosterIndex: known?.rosterIndex ?? 0 };
      const news = await this.#init.peers.ask(whom, "fleetNews", question, { deadlineMs: TIMING.fleetNewsMs });
      // One that knows no leader may be as lost as this one.
      this.#turn = news.leader === undefined ? this.#turn + 1 : 0;
      const roster = news.roster ? byId(news.roster) : known?.roster;
      if (roster) this.#hear({ ...news, roster });
    } catch (error) {
      this.#turn++;
      this.#world.telemetry.log("debug", "fleetNewsMissing", { whom, reason: SkeinError.from(error).message });
    }
  }

  /**
   * Those who likely know, in turns, and now and then anyone. Among many nodes that wait for a leader nearly all of the
   * others know as little, so that it would be long until one asked a voter again.
   */
  #whomToAsk(): NodeId | undefined {
    const likely = this.#likely();
    const rounds = Math.floor(this.#turn / ANYONE_EVERY);
    if (likely.length > 0 && (this.#turn + 1) % ANYONE_EVERY !== 0)
      return likely[(this.#turn - rounds) % likely.length];
    const anyone = this.#anyone();
    return anyone[(likely.length > 0 ? rounds : this.#turn) % anyone.length];
  }

  #hear(news: KeptNews): void {
    if (this.#stopped) return;
    const { driver } = this.#init;
    const nowMs = this.#world.clock.monotonicMs();
    // Not for ever, or one wrong word of a term that never was would be the last this node believes.
    const isFirst = !this.#news || nowMs - this.#heardAtMs > NEWS_OLD_MS;
    const known = isFirst ? { term: 0, appliedIndex: 0 } : this.#news!;
    if (news.term < known.term || (news.term === known.term && news.appliedIndex < known.appliedIndex)) return;
    const isIn = this.#isIn(news.conf);
    if (this.#holdsLedger) {
      // Out of touch for a moment is no reason to give the ledger up; a later configuration without this node is.
      if (isIn || news.appliedIndex <= driver.status().applied) return;
      this.#holdsLedger = false;
      this.#world.telemetry.log("info", "seatLost", { appliedIndex: news.appliedIndex });
    }
    const isSame = this.#news !== undefined && tellable(this.#news) === tellable(news);
    this.#news = news;
    this.#heardAtMs = nowMs;
    driver.rest(!isIn);
    this.moved();
    if (!isSame) this.#init.onChange();
  }

  #isIn(conf: ConfState): boolean {
    return membersOf(conf).includes(this.#world.network.self);
  }
}

const byId = (roster: readonly RosterNode[]): ReadonlyMap<NodeId, RosterNode> =>
  new Map(roster.map((node) => [node.nodeId, node]));

/** What others would want to be told of, if it changed. */
const tellable = ({ term, leader, rosterIndex, conf }: KeptNews): string =>
  JSON.stringify([term, leader, rosterIndex, conf]);
