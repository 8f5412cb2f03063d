import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type Assignment, PieceTable } from "../core/transfer/index.ts";
import type { Arrival, FetchOptions } from "../ports/index.ts";
import type { Events } from "./events.ts";
import { Slots } from "./slots.ts";
import type { Surroundings } from "./surroundings.ts";
import { within } from "./waiting.ts";

/** How often it is looked whether a piece has become slow. */
const LOOK_MS = 100;

/** Hands on the same chunks, and counts them. */
export type Meter = (from: NodeId, chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/** Who may have a blob: those who are recorded as its holders, and everyone else who can be reached. */
export interface Candidates {
  holders: NodeId[];
  spares: NodeId[];
}

/** The beginning of a blob, on its way from a holder. */
interface Opened {
  holder: NodeId;
  bytes: number;
  chunks: AsyncIterable<Uint8Array>;
  stop: AbortController;
}

/** How a large blob came, or did not. */
type Outcome =
  | { kind: "here" }
  | { kind: "stuck" }
  | { kind: "mismatch"; digests: string[]; senders: readonly (NodeId | undefined)[] };

/**
 * Brings blobs from whoever holds them. A large one comes in pieces from several holders at once; what came of it stays on
 * the disk when it breaks off. If the whole does not match its hash, it is fetched again from one holder after the other,
 * and the difference tells whose bytes were wrong.
 */
export class BlobFetcher {
  readonly #world: Surroundings;
  readonly #events: Events;
  /** Whoever sent other bytes than it said reads its copy again. */
  readonly #doubt: (holder: NodeId, hash: BlobHash) => void;
  readonly #meter: Meter;
  readonly #slots: Slots;

  constructor(
    world: Surroundings,
    events: Events,
    doubt: (holder: NodeId, hash: BlobHash) => void,
    meter: Meter = (_from, chunks) => chunks,
  ) {
    this.#world = world;
    this.#events = events;
    this.#meter = meter;
    this.#doubt = doubt;
    this.#slots = new Slots(LIMITS.blobFetchesMax, LIMITS.blobFetchesWaitingMax, world.network.self);
  }

  /** @throws BLOB_MISSING when nobody has it whole; BLOB_HASH_MISMATCH when somebody only had a damaged one; DISK_FULL; PEER_BUSY */
  async fetch(hash: BlobHash, candidates: Candidates): Promise<void> {
    const done = await this.#slots.take();
    try {
      const before = await this.#world.blobs.arrival(hash);
      const outcome = before && (await this.#inPieces(hash, before, candidates));
      if (outcome?.kind === "here") return;
      if (outcome?.kind === "mismatch") return await this.#oneByOne(hash, candidates, outcome);
      await this.#anew(hash, candidates);
    } finally {
      done();
    }
  }

  /** Asks one after the other until one has it, and then, if it is large, all of them. */
  async #anew(hash: BlobHash, { holders, spares }: Candidates): Promise<void> {
    let fault = new SkeinError("BLOB_MISSING", { hash });
    for (const [i, holder] of [...holders, ...spares].entries()) {
      const later = { holders: holders.slice(i + 1), spares: spares.slice(Math.max(0, i + 1 - holders.length)) };
      let outcome: Outcome;
      try {
        const first = await this.#open(hash, holder);
        outcome = await this.#take(hash, first, { ...later, holders: [holder, ...later.holders] });
      } catch (error) {
        fault = this.#faultOf(error, hash, holder) ?? fault;
        continue;
      }
      if (outcome.kind === "here") return;
      if (outcome.kind === "mismatch") return this.#oneByOne(hash, { holders, spares }, outcome);
    }
    throw fault;
  }

  /** From one holder alone at a time. What differs in a sound copy from what came before is the fault of who sent that. */
  async #oneByOne(
    hash: BlobHash,
    { holders, spares }: Candidates,
    before: Outcome & { kind: "mismatch" },
  ): Promise<void> {
    const sentAll = new Set(before.senders).size === 1 ? before.senders[0] : undefined;
    if (sentAll) this.#tellDamaged(hash, sentAll);
    let fault = new SkeinError("BLOB_HASH_MISMATCH", { expected: hash, actual: "what several holders sent together" });
    for (const holder of [...holders, ...spares]) {
      if (holder === sentAll) continue;
      try {
        const first = await this.#open(hash, holder);
        const outcome = await this.#take(hash, first, { holders: [holder], spares: [] }, before);
        if (outcome.kind === "here") return;
        if (outcome.kind === "mismatch") this.#tellDamaged(hash, holder);
      } catch (error) {
        fault = this.#faultOf(error, hash, holder) ?? fault;
      }
    }
    throw fault;
  }

  async #open(hash: BlobHash, holder: NodeId): Promise<Opened> {
    const stop = new AbortController();
    const options = { length: LIMITS.blobPieceBytes, signal: stop.signal };
    return { holder, stop, ...(await this.#fetchFrom(holder, hash, options)) };
  }

  async #fetchFrom(holder: NodeId, hash: BlobHash, options: FetchOptions): Promise<Omit<Opened, "holder" | "stop">> {
    const { bytes, chunks } = await this.#world.network.fetchBlob(holder, hash, options);
    return { bytes, chunks: this.#meter(holder, chunks) };
  }

  /** What a holder sends first tells how large the blob is: it may be all of it. */
  async #take(
    hash: BlobHash,
    first: Opened,
    from: Candidates,
    before?: Outcome & { kind: "mismatch" },
  ): Promise<Outcome> {
    if (first.bytes <= LIMITS.blobPieceBytes) {
      await this.#world.blobs.put(first.chunks, hash);
      return { kind: "here" };
    }
    const arrival = await this.#world.blobs.arrival(hash, first.bytes);
    return this.#inPieces(hash, arrival!, from, { first, ...(before ? { before } : {}) });
  }

  async #inPieces(
    hash: BlobHash,
    arrival: Arrival,
    { holders, spares }: Candidates,
    { first, before }: { first?: Opened; before?: Outcome & { kind: "mismatch" } } = {},
  ): Promise<Outcome> {
    const atOnceMax = LIMITS.blobPiecesAtOnceMax;
    const table = new PieceTable({ here: arrival.here, holders, spares, atOnceMax });
    try {
      await this.#carryOut(hash, arrival, table, first);
      if (!table.isWhole) return { kind: "stuck" };
      const digests = before ? await arrival.digests() : [];
      await arrival.finish();
      if (before) this.#tellWhoLied(hash, before, digests);
      return { kind: "here" };
    } catch (error) {
      if (SkeinError.from(error).code !== "BLOB_HASH_MISMATCH") throw error;
      const digests = await arrival.digests();
      await arrival.discard();
      return { kind: "mismatch", digests, senders: table.senders() };
    } finally {
      await arrival.close();
    }
  }

  /** Until every piece is here or nobody is left to ask. @throws DISK_FULL */
  async #carryOut(hash: BlobHash, arrival: Arrival, table: PieceTable, first?: Opened): Promise<void> {
    const { clock } = this.#world;
    const running = new Map<string, { stop: AbortController; ended: Promise<void> }>();
    let fatal: SkeinError | undefined;
    const begin = (assignment: Assignment): void => {
      const key = `${assignment.piece} ${assignment.holder}`;
      const isOpened =
        first && assignment.piece === 0 && assignment.holder === first.holder && !first.stop.signal.aborted;
      const stop = isOpened ? first.stop : new AbortController();
      const ended = this.#fetchPiece(hash, arrival, assignment, stop.signal, isOpened ? first : undefined).then(
        () => {
          running.delete(key);
          for (const other of table.arrived(assignment, clock.monotonicMs()))
            running.get(`${other.piece} ${other.holder}`)?.stop.abort(new Error("the piece came from another holder"));
        },
        (error: unknown) => {
          running.delete(key);
          if (stop.signal.aborted) return table.stopped(assignment);
          const why = SkeinError.from(error);
          // Only of a peer that is linked and did not answer well this once is more to be hoped.
          table.failed(assignment, why.code !== "PEER_UNREACHABLE" || !this.#isLinked(assignment.holder));
          if (why.code === "DISK_FULL") fatal = why;
          this.#world.telemetry.log("info", "pieceFailed", { hash, ...assignment, reason: why.message });
        },
      );
      running.set(key, { stop, ended });
    };
    // Of a blob whose beginning is here already, the beginning was only opened to hear its size.
    if (arrival.here[0]) first?.stop.abort(new Error("it is here already"));
    while (!table.isWhole && !fatal) {
      for (let next = table.next(clock.monotonicMs()); next; next = table.next(clock.monotonicMs())) begin(next);
      if (running.size === 0) break;
      await within(clock, LOOK_MS, Promise.race([...running.values()].map(({ ended }) => ended)));
    }
    for (const { stop } of running.values()) stop.abort(new Error("the transfer is over"));
    await Promise.all([...running.values()].map(({ ended }) => ended));
    if (fatal) throw fatal;
  }

  async #fetchPiece(
    hash: BlobHash,
    arrival: Arrival,
    { piece, holder }: Assignment,
    signal: AbortSignal,
    opened?: Opened,
  ): Promise<void> {
    const offset = piece * LIMITS.blobPieceBytes;
    const length = Math.min(LIMITS.blobPieceBytes, arrival.bytes - offset);
    const { bytes, chunks } = opened ?? (await this.#fetchFrom(holder, hash, { offset, length, signal }));
    if (bytes !== arrival.bytes)
      return await refuse(
        chunks,
        new SkeinError("FRAME_INVALID", { peer: holder, reason: `a blob of ${bytes} bytes, not ${arrival.bytes}` }),
      );
    await arrival.write(piece, chunks);
  }

  /** `digests`: of a copy that is sound. */
  #tellWhoLied(hash: BlobHash, before: Outcome & { kind: "mismatch" }, digests: readonly string[]): void {
    const liars = before.senders.filter((_, piece) => before.digests[piece] !== digests[piece]);
    for (const liar of new Set(liars)) if (liar) this.#tellDamaged(hash, liar);
  }

  #isLinked(holder: NodeId): boolean {
    return this.#world.network.links().some(({ nodeId, state }) => nodeId === holder && state !== "down");
  }

  /** What one holder's failure says about the whole. @throws what no other holder would help with */
  #faultOf(error: unknown, hash: BlobHash, holder: NodeId): SkeinError | undefined {
    const why = SkeinError.from(error);
    if (why.code === "DISK_FULL") throw why;
    if (why.code !== "BLOB_HASH_MISMATCH") return undefined;
    this.#tellDamaged(hash, holder);
    return why;
  }

  #tellDamaged(hash: BlobHash, holder: NodeId): void {
    this.#events.emit("blobDamaged", { hash, holder }, "warn");
    this.#doubt(holder, hash);
  }
}

/** Only a reader that has begun can leave. */
async function refuse(chunks: AsyncIterable<Uint8Array>, error: SkeinError): Promise<never> {
  for await (const _ of chunks) break;
  throw error;
}
