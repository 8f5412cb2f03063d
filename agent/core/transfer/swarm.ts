import type { NodeId } from "../../../shared/ids.ts";
import { type Assignment, type Running, UnderWay } from "./under-way.ts";

/** What another node says of its pieces of a blob. */
export interface PiecesHeld {
  /** It has the blob; what `here` and `coming` say counts only if it has not. */
  whole: boolean;
  here: readonly boolean[];
  /** On their way to it, from whomever. */
  coming: readonly boolean[];
}

export interface SwarmTableInit {
  /** For each piece, whether it is here already. */
  here: readonly boolean[];
  /** From 0 to 1, another on each node: where it begins among pieces that are as rare, so that not all ask for the same. */
  startsAt: number;
  /** Pieces under way at once, in all and from one node. */
  atOnceMax: number;
  perNodeMax: number;
}

/** A piece that takes this many times what another node needed for one is asked of that one too. */
const SLOW_FACTOR = 3;
/** Failures of a node in a row after which it is asked no more. */
const FAILURES_MAX = 4;
/**
 * A piece that is on its way to a sibling is not asked of a node that has all: it will come from the sibling, and that
 * node's link is what everyone waits for. Not for ever: the sibling may be slow, or say so and do nothing.
 */
const SIBLING_PATIENCE_MS = 3_000;

/**
 * Which piece to ask of whom when the others are still fetching too. Rarest first, so that the nodes soon have different
 * pieces to give to one another, and each piece leaves the origin about once.
 */
export class SwarmTable {
  readonly #here: boolean[];
  readonly #first: number;
  readonly #atOnceMax: number;
  readonly #perNodeMax: number;
  readonly #others = new Map<NodeId, PiecesHeld>();
  readonly #underWay = new UnderWay();
  /** Since when a piece is said to come to some sibling, by piece and sibling. */
  readonly #comingSinceMs = new Map<string, number>();
  readonly #tookMs = new Map<NodeId, number>();
  readonly #failures = new Map<NodeId, number>();
  readonly #refused = new Set<NodeId>();

  constructor({ here, startsAt, atOnceMax, perNodeMax }: SwarmTableInit) {
    this.#here = [...here];
    this.#first = Math.floor(startsAt * here.length);
    this.#atOnceMax = atOnceMax;
    this.#perNodeMax = perNodeMax;
  }

  get isWhole(): boolean {
    return this.#here.every(Boolean);
  }

  get isIdle(): boolean {
    return this.#underWay.count === 0;
  }

  /** Whether this piece is on its way here. */
  isComing(piece: number): boolean {
    return this.#underWay.of(piece).length > 0;
  }

  /** Whether it said that it has all: nothing it could tell would be new. */
  knowsAll(node: NodeId): boolean {
    return this.#others.get(node)?.whole ?? false;
  }

  /** A node told what it has. @returns whether it has more than before */
  learned(node: NodeId, held: PiecesHeld, nowMs: number): boolean {
    const before = this.#others.get(node);
    this.#others.set(node, held);
    for (const piece of this.#here.keys()) {
      const key = `${piece} ${node}`;
      if (held.whole || !held.coming[piece]) this.#comingSinceMs.delete(key);
      else if (!this.#comingSinceMs.has(key)) this.#comingSinceMs.set(key, nowMs);
    }
    return this.#here.some((_, piece) => has(held, piece) && !(before && has(before, piece)));
  }

  /** It cannot be asked now. */
  forgot(node: NodeId): void {
    this.#others.delete(node);
    for (const piece of this.#here.keys()) this.#comingSinceMs.delete(`${piece} ${node}`);
  }

  /** What to ask for now, until it says nothing. */
  next(nowMs: number): Assignment | undefined {
    if (this.#underWay.count >= this.#atOnceMax) return undefined;
    const free = this.#others.size === 0 ? [] : this.#inOrder().filter((piece) => !this.isComing(piece));
    let best: { assignment: Assignment; rarity: number } | undefined;
    for (const piece of free) {
      const holder = this.#sourceOf(piece, nowMs);
      const rarity = this.#rarityOf(piece);
      if (holder && (!best || rarity < best.rarity)) best = { assignment: { piece, holder }, rarity };
    }
    if (best) return this.#underWay.begin(best.assignment, nowMs);
    for (const run of this.#underWay.all()) {
      const quicker = this.#quickerThan(run, nowMs);
      if (quicker) return this.#underWay.begin(quicker, nowMs);
    }
    return undefined;
  }

  /** The piece is here, and is what it should be. Answers with those who were asked for it too and need not go on. */
  arrived({ piece, holder }: Assignment, nowMs: number): Assignment[] {
    this.#tookMs.set(holder, nowMs - this.#underWay.end({ piece, holder }).sinceMs);
    this.#failures.delete(holder);
    this.#here[piece] = true;
    return this.#underWay.of(piece);
  }

  /** `isGone`: what it said of its pieces holds no more. */
  failed(assignment: Assignment, isGone = false): void {
    this.#underWay.end(assignment);
    const { holder } = assignment;
    const failures = (this.#failures.get(holder) ?? 0) + 1;
    this.#failures.set(holder, failures);
    if (isGone) this.forgot(holder);
    if (failures >= FAILURES_MAX) this.#refused.add(holder);
  }

  /** It sent other bytes than the piece has: nothing more is asked of it. */
  lied(assignment: Assignment): void {
    this.#underWay.end(assignment);
    this.#refused.add(assignment.holder);
  }

  /** It was told to stop. */
  stopped(assignment: Assignment): void {
    this.#underWay.end(assignment);
  }

  #inOrder(): number[] {
    const pieces = [...this.#here.keys()].filter((piece) => !this.#here[piece]);
    return [...pieces.filter((piece) => piece >= this.#first), ...pieces.filter((piece) => piece < this.#first)];
  }

  /** How many have it or soon will. */
  #rarityOf(piece: number): number {
    let count = 0;
    for (const held of this.#others.values()) if (has(held, piece) || held.coming[piece]) count++;
    return count;
  }

  /** Of those that have it the least busy; siblings before those that have all, whose links are what everyone waits for. */
  #sourceOf(piece: number, nowMs: number, besides?: NodeId): NodeId | undefined {
    const sources = [...this.#others].filter(
      ([node, held]) =>
        node !== besides &&
        has(held, piece) &&
        !this.#refused.has(node) &&
        this.#underWay.load(node) < this.#perNodeMax,
    );
    const siblings = sources.filter(([, { whole }]) => !whole);
    if (siblings.length > 0) return this.#underWay.leastBusy(siblings.map(([node]) => node));
    return this.#isExpected(piece, nowMs) ? undefined : this.#underWay.leastBusy(sources.map(([node]) => node));
  }

  #isExpected(piece: number, nowMs: number): boolean {
    for (const [node, held] of this.#others) {
      const sinceMs = this.#comingSinceMs.get(`${piece} ${node}`);
      if (held.whole || this.#refused.has(node) || sinceMs === undefined) continue;
      const usualMs = Math.max(0, ...this.#tookMs.values());
      if (nowMs - sinceMs < Math.max(SIBLING_PATIENCE_MS, SLOW_FACTOR * usualMs)) return true;
    }
    return false;
  }

  /** The same piece of another node, if that one needed far less time for its last one than this run takes already. */
  #quickerThan(run: Running, nowMs: number): Assignment | undefined {
    if (this.#underWay.of(run.piece).length > 1) return undefined;
    const holder = this.#sourceOf(run.piece, nowMs, run.holder);
    const tookMs = holder && this.#tookMs.get(holder);
    const isQuicker = tookMs !== undefined && nowMs - run.sinceMs > SLOW_FACTOR * tookMs;
    return holder && isQuicker ? { piece: run.piece, holder } : undefined;
  }
}

const has = (held: PiecesHeld, piece: number): boolean => held.whole || held.here[piece] === true;
