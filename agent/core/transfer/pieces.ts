import type { NodeId } from "../../../shared/ids.ts";
import { type Assignment, type Running, UnderWay } from "./under-way.ts";

export interface PieceTableInit {
  /** For each piece, whether it is here already. */
  here: readonly boolean[];
  /** Who is said to hold the blob, the likeliest first; and who may be asked when none of these is left. */
  holders: readonly NodeId[];
  spares: readonly NodeId[];
  /** Pieces under way at once, from all holders together. */
  atOnceMax: number;
}

/** A piece that takes this many times what another holder needs for one is asked of that one too. */
const SLOW_FACTOR = 3;

/** A busy moment, or a link that was made anew, fails the pieces under way together, and then no more. */
const FAILURES_MAX = 4;

/** What is here, what is under way, and who is still worth asking. */
export class PieceTable {
  readonly #here: boolean[];
  readonly #atOnceMax: number;
  readonly #spares: NodeId[];
  #holders: NodeId[];
  readonly #underWay = new UnderWay();
  /** Of the last piece that a holder sent. */
  readonly #tookMs = new Map<NodeId, number>();
  /** Since a holder's last piece came. */
  readonly #failures = new Map<NodeId, number>();
  readonly #senders: (NodeId | undefined)[];

  constructor({ here, holders, spares, atOnceMax }: PieceTableInit) {
    this.#here = [...here];
    this.#senders = here.map(() => undefined);
    this.#holders = [...holders];
    this.#spares = [...spares];
    this.#atOnceMax = atOnceMax;
  }

  get isWhole(): boolean {
    return this.#here.every(Boolean);
  }

  /** Nobody is left to ask, and nothing is under way. */
  get isStuck(): boolean {
    return !this.isWhole && this.#underWay.count === 0 && this.#holders.length + this.#spares.length === 0;
  }

  /** Who sent each piece; undefined for those that were here before. */
  senders(): readonly (NodeId | undefined)[] {
    return this.#senders;
  }

  /** What to ask for now, until it says nothing. It may say more when a piece ends, or when time passes while one is slow. */
  next(nowMs: number): Assignment | undefined {
    if (this.#underWay.count >= this.#atOnceMax) return undefined;
    if (this.#holders.length === 0) this.#holders.push(...this.#spares.splice(0, 1));
    const holder = this.#underWay.leastBusy(this.#holders);
    if (holder === undefined) return undefined;
    const free = this.#here.findIndex((isHere, piece) => !isHere && this.#underWay.of(piece).length === 0);
    if (free >= 0) return this.#underWay.begin({ piece: free, holder }, nowMs);
    const slow = this.#underWay.all().find((run) => this.#isSlow(run, nowMs));
    const other = slow && this.#underWay.leastBusy(this.#holders.filter((candidate) => candidate !== slow.holder));
    return slow && other ? this.#underWay.begin({ piece: slow.piece, holder: other }, nowMs) : undefined;
  }

  /** The piece is here. Answers with those who were asked for it too and need not go on. */
  arrived({ piece, holder }: Assignment, nowMs: number): Assignment[] {
    const run = this.#underWay.end({ piece, holder });
    this.#tookMs.set(holder, nowMs - run.sinceMs);
    this.#failures.delete(holder);
    this.#here[piece] = true;
    this.#senders[piece] = holder;
    return this.#underWay.of(piece);
  }

  /** The piece will be asked for again. A holder that fails repeatedly, or does not have the blob, is asked no more in this transfer. */
  failed(assignment: Assignment, isGone = false): void {
    this.#underWay.end(assignment);
    const failures = (this.#failures.get(assignment.holder) ?? 0) + 1;
    this.#failures.set(assignment.holder, failures);
    if (failures >= FAILURES_MAX || isGone)
      this.#holders = this.#holders.filter((holder) => holder !== assignment.holder);
  }

  /** It was told to stop. */
  stopped(assignment: Assignment): void {
    this.#underWay.end(assignment);
  }

  #isSlow(run: Running, nowMs: number): boolean {
    if (this.#underWay.of(run.piece).length > 1) return false;
    const others = [...this.#tookMs].filter(([holder]) => holder !== run.holder && this.#holders.includes(holder));
    return others.some(([, tookMs]) => nowMs - run.sinceMs > SLOW_FACTOR * tookMs);
  }
}
