import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { type Assignment, SwarmTable } from "../../core/transfer/index.ts";
import type { Arrival, BlobSource } from "../../ports/index.ts";
import type { Candidates } from "../blob-fetcher.ts";
import type { Events } from "../events.ts";
import type { Peers } from "../peers.ts";
import type { Surroundings } from "../surroundings.ts";
import { within } from "../waiting.ts";
import type { Throttle } from "./throttle.ts";

/** A large file that is wanted, and of which the fleet agreed what each piece is. */
export interface SwarmFile {
  hash: BlobHash;
  bytes: number;
  /** SHA-256 of each piece, in hex. */
  digests: readonly string[];
  /** From 0 to 1: where this node begins. Nodes that fetch it at the same time begin apart. */
  startsAt: number;
}

/** Between two questions to the others about what they have. */
const ASK_MS = 250;
const ASK_DEADLINE_MS = 1_000;
/** And one such question in so many to those who are not known to have any of it. */
const SPARES_EVERY = 8;
/** How often it is looked whether a piece has become slow. */
const LOOK_MS = 100;
/** Nothing came, nobody has more than before: given up, to be begun again later. */
const STUCK_MS = 10_000;

interface Swarm {
  file: SwarmFile;
  arrival: Arrival;
  table: SwarmTable;
}

/**
 * Brings a model's file from everyone who has some of it, and serves what has come while the rest is still coming. Each
 * piece is checked against the digest that the fleet agreed on before it touches the disk, so that a wrong one goes no
 * further than from whoever sent it.
 */
export class SwarmFetcher {
  readonly #world: Surroundings;
  readonly #peers: Peers;
  readonly #events: Events;
  readonly #throttle: Throttle;
  readonly #swarms = new Map<BlobHash, Swarm>();

  constructor(world: Surroundings, peers: Peers, events: Events, throttle: Throttle) {
    this.#world = world;
    this.#peers = peers;
    this.#events = events;
    this.#throttle = throttle;
    peers.answer("pieces", async (_from, { blob }) => this.#tell(blob));
  }

  /** What of a file on its way is here; undefined if it is not on its way. */
  bytesHere(hash: BlobHash): number | undefined {
    const swarm = this.#swarms.get(hash);
    if (!swarm) return undefined;
    return Math.min(swarm.file.bytes, swarm.arrival.here.filter(Boolean).length * LIMITS.blobPieceBytes);
  }

  /**
   * Resolves when the file is here whole. What came stays when it breaks off. Only one fetch of a file at a time.
   * @throws BLOB_MISSING when nobody had anything more for a while; BLOB_HASH_MISMATCH when the right pieces do not make the
   *   whole; DISK_FULL; whatever `signal` was aborted with
   */
  async fetch(file: SwarmFile, from: () => Candidates, signal: AbortSignal): Promise<void> {
    const arrival = (await this.#world.blobs.arrival(file.hash, file.bytes))!;
    try {
      // It may be wrong: what an earlier life wrote was never made durable.
      await arrival.check(file.digests);
      const limits = { atOnceMax: LIMITS.swarmPiecesAtOnceMax, perNodeMax: LIMITS.swarmPiecesPerNodeMax };
      const table = new SwarmTable({ here: arrival.here, startsAt: file.startsAt, ...limits });
      const swarm = { file, arrival, table };
      this.#swarms.set(file.hash, swarm);
      await this.#carryOut(swarm, from, signal);
      await arrival.finish();
    } catch (error) {
      if (SkeinError.from(error).code === "BLOB_HASH_MISMATCH") await arrival.discard();
      throw error;
    } finally {
      await arrival.close();
      this.#swarms.delete(file.hash);
    }
  }

  /** Of a file that is still coming: its pieces that are here, and after them the rest if it has come whole meanwhile. */
  source(hash: BlobHash, offset: number, length: number): Awaited<ReturnType<BlobSource>> {
    const swarm = this.#swarms.get(hash);
    const piece = offset / LIMITS.blobPieceBytes;
    if (!swarm?.arrival.here[piece]) return undefined;
    return { bytes: swarm.file.bytes, chunks: this.#serve(swarm, piece, length) };
  }

  async *#serve({ file, arrival }: Swarm, piece: number, length: number): AsyncGenerator<Uint8Array> {
    const offset = piece * LIMITS.blobPieceBytes;
    const end = Math.min(offset + LIMITS.blobPieceBytes, file.bytes, offset + length);
    let at = offset;
    try {
      for await (const chunk of arrival.stream(piece)) {
        const wanted = chunk.subarray(0, end - at);
        at += wanted.length;
        yield wanted;
        if (at >= end) return;
      }
    } catch (error) {
      // It has come whole and was closed: the rest is where whole blobs are.
      if (SkeinError.from(error).code !== "BLOB_MISSING") throw error;
      yield* this.#world.blobs.stream(file.hash, at, end - at);
    }
  }

  async #tell(hash: BlobHash): Promise<{ whole: boolean; here: Uint8Array; coming: Uint8Array }> {
    const nothing = new Uint8Array();
    if ((await this.#world.blobs.size(hash)) !== undefined) return { whole: true, here: nothing, coming: nothing };
    const swarm = this.#swarms.get(hash);
    if (!swarm) return { whole: false, here: nothing, coming: nothing };
    const { here } = swarm.arrival;
    return {
      whole: false,
      here: Uint8Array.from(here, Number),
      coming: Uint8Array.from(here, (_, piece) => Number(swarm.table.isComing(piece))),
    };
  }

  async #carryOut(swarm: Swarm, from: () => Candidates, signal: AbortSignal): Promise<void> {
    const { clock } = this.#world;
    const { table } = swarm;
    const running = new Map<string, { stop: AbortController; ended: Promise<void> }>();
    let fatal: SkeinError | undefined;
    let movedAtMs = clock.monotonicMs();
    const moved = (): void => {
      movedAtMs = clock.monotonicMs();
    };
    const begin = (assignment: Assignment): void => {
      const stop = new AbortController();
      const key = keyOf(assignment);
      const ended = this.#fetchPiece(swarm, assignment, stop.signal).then(
        () => {
          running.delete(key);
          moved();
          for (const other of table.arrived(assignment, clock.monotonicMs()))
            running.get(keyOf(other))?.stop.abort(new Error("the piece came from another node"));
        },
        (error: unknown) => {
          running.delete(key);
          if (stop.signal.aborted) table.stopped(assignment);
          else fatal = this.#failed(swarm, assignment, SkeinError.from(error)) ?? fatal;
        },
      );
      running.set(key, { stop, ended });
    };
    const asking = new AbortController();
    const asked = this.#keepAsking(swarm, from, asking.signal, moved);
    while (!table.isWhole && !fatal && !signal.aborted) {
      for (let next = table.next(clock.monotonicMs()); next; next = table.next(clock.monotonicMs())) begin(next);
      if (table.isIdle && clock.monotonicMs() - movedAtMs > STUCK_MS)
        fatal = new SkeinError("BLOB_MISSING", { hash: swarm.file.hash });
      await within(clock, LOOK_MS, Promise.race([...running.values()].map(({ ended }) => ended)));
    }
    asking.abort();
    for (const { stop } of running.values()) stop.abort(new Error("the transfer is over"));
    await Promise.all([asked, ...[...running.values()].map(({ ended }) => ended)]);
    signal.throwIfAborted();
    if (fatal) throw fatal;
  }

  /** @returns what ends the whole transfer */
  #failed({ file, table }: Swarm, assignment: Assignment, why: SkeinError): SkeinError | undefined {
    const { holder } = assignment;
    if (why.code === "BLOB_HASH_MISMATCH") {
      table.lied(assignment);
      this.#events.emit("blobDamaged", { hash: file.hash, holder }, "warn");
      this.#peers.ask(holder, "doubt", { blob: file.hash }).catch((error: unknown) => {
        this.#world.telemetry.log("debug", "doubtUntold", { holder, reason: SkeinError.from(error).message });
      });
      return undefined;
    }
    table.failed(assignment, why.code === "BLOB_MISSING" || why.code === "PEER_UNREACHABLE");
    this.#world.telemetry.log("info", "pieceFailed", { hash: file.hash, ...assignment, reason: why.message });
    return why.code === "DISK_FULL" ? why : undefined;
  }

  /** Not measured as a link's speed: many take from one node at once, and the fleet may have set a limit. */
  async #fetchPiece({ file, arrival }: Swarm, { piece, holder }: Assignment, signal: AbortSignal): Promise<void> {
    const offset = piece * LIMITS.blobPieceBytes;
    const length = Math.min(LIMITS.blobPieceBytes, file.bytes - offset);
    const { chunks } = await this.#world.network.fetchBlob(holder, file.hash, { offset, length, signal });
    await arrival.write(piece, this.#throttle.through(chunks), file.digests[piece]);
  }

  /** Who has what, again and again until the transfer is over; those that have all are asked once, and again when they failed. */
  async #keepAsking(swarm: Swarm, from: () => Candidates, signal: AbortSignal, onMore: () => void): Promise<void> {
    const { clock } = this.#world;
    for (let round = 0; !signal.aborted; round++) {
      const { holders, spares } = from();
      const nodes = [...holders, ...(round % SPARES_EVERY === 0 ? spares : [])]
        .slice(0, LIMITS.swarmNodesMax)
        .filter((node) => !swarm.table.knowsAll(node));
      await Promise.all(nodes.map((node) => this.#ask(swarm, node, onMore)));
      await within(clock, ASK_MS, new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())));
    }
  }

  async #ask({ file, table }: Swarm, node: NodeId, onMore: () => void): Promise<void> {
    const { clock } = this.#world;
    try {
      const answer = await this.#peers.ask(node, "pieces", { blob: file.hash }, { deadlineMs: ASK_DEADLINE_MS });
      const [here, coming] = [answer.here, answer.coming].map((bits) => [...bits.subarray(0, file.digests.length)]);
      const held = { whole: answer.whole, here: here!.map(Boolean), coming: coming!.map(Boolean) };
      if (table.learned(node, held, clock.monotonicMs())) onMore();
    } catch (error) {
      table.forgot(node);
      this.#world.telemetry.log("debug", "piecesUntold", { node, reason: SkeinError.from(error).message });
    }
  }
}

const keyOf = ({ piece, holder }: Assignment): string => `${piece} ${holder}`;
