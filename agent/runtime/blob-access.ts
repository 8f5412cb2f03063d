import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { StreamedInput } from "../ports/index.ts";
import { BlobFetcher, type Candidates, type Meter } from "./blob-fetcher.ts";
import type { Events } from "./events.ts";
import { SwarmFetcher, type SwarmFile } from "./models/swarm.ts";
import { Throttle } from "./models/throttle.ts";
import type { Peers } from "./peers.ts";
import type { Surroundings } from "./surroundings.ts";

/** Blobs up to this size travel in the request itself: a stream of their own costs more than they do. */
const INLINE_BYTES_MAX = 64 * 1024;
/** What one copy request may carry inline, so that it stays well under a frame. */
const INLINE_TOTAL_MAX = LIMITS.frameBytesMax / 2;
/** Blobs asked for in one copy request, and of small ones, which all travel in it. */
const COPY_BATCH = 32;
const SMALL_COPY_BATCH = 128;
/** Slowest link a copy may be made over, for the request's deadline. */
export const COPY_BYTES_PER_MS = 500;
const COPY_BASE_MS = 5_000;

export interface BlobToCopy {
  hash: BlobHash;
  bytes: number;
  /** If it is in memory anyway. */
  content?: Uint8Array;
}

/**
 * Blobs wherever they are: on this node, or fetched from whoever has them. A damaged copy is found by its hash, set aside,
 * and replaced from another holder.
 */
export class BlobAccess {
  readonly #world: Surroundings;
  readonly #peers: Peers;
  readonly #events: Events;
  /** Everyone who may hold a blob besides its recorded holders: the reachable nodes. */
  readonly #reachable: () => NodeId[];
  readonly #fetcher: BlobFetcher;
  /** Copies on their way, by the node they go to. */
  readonly #copying = new Map<NodeId, Set<AbortController>>();
  readonly #fetching = new Map<BlobHash, Promise<void>>();
  /** Of models: other blobs are waited for by work. */
  readonly throttle: Throttle;
  readonly #swarm: SwarmFetcher;

  constructor(world: Surroundings, peers: Peers, events: Events, reachable: () => NodeId[], meter?: Meter) {
    this.#world = world;
    this.#peers = peers;
    this.#events = events;
    this.#reachable = reachable;
    this.#fetcher = new BlobFetcher(world, events, (holder, hash) => this.#doubt(holder, hash), meter);
    this.throttle = new Throttle(world.clock);
    this.#swarm = new SwarmFetcher(world, peers, events, this.throttle);
    world.network.onLink(({ nodeId, state }) => {
      if (state !== "up") this.#giveUpCopiesTo(nodeId);
    });
    world.network.serveBlobs((hash, offset, length) => this.#serve(hash, offset, length));
    peers.answer("copy", (_from, question) => this.#takeCopies(question.blobs, question.inline, question.from));
    peers.answer("have", async (_from, { blobs }) => ({ held: await this.#held(blobs) }));
  }

  /** Brings a blob onto this disk. @throws BLOB_MISSING when nobody reachable has it whole; DISK_FULL */
  async ensureLocal(hash: BlobHash, from: readonly NodeId[]): Promise<void> {
    if ((await this.#world.blobs.size(hash)) !== undefined) return;
    let running = this.#fetching.get(hash);
    if (!running) {
      running = this.#fetcher.fetch(hash, this.#candidates(from)).finally(() => this.#fetching.delete(hash));
      this.#fetching.set(hash, running);
    }
    return running;
  }

  /**
   * Brings a large file of which the fleet agreed what its pieces are, also from nodes that are still fetching it: `from`
   * and what they have is asked again and again. @throws as SwarmFetcher.fetch and ensureLocal
   */
  async ensureFile(file: SwarmFile, from: () => readonly NodeId[], signal: AbortSignal): Promise<void> {
    if ((await this.#world.blobs.size(file.hash)) !== undefined) return;
    let running = this.#fetching.get(file.hash);
    if (!running) {
      const whole = async (error: unknown): Promise<void> => {
        // The digests of its pieces are not those of this file: it is fetched like any other blob.
        if (SkeinError.from(error).code !== "BLOB_HASH_MISMATCH") throw error;
        await this.#fetcher.fetch(file.hash, this.#candidates(from()));
      };
      running = this.#swarm
        .fetch(file, () => this.#candidates(from()), signal)
        .catch(whole)
        .finally(() => this.#fetching.delete(file.hash));
      this.#fetching.set(file.hash, running);
    }
    return running;
  }

  /** What of a model's file that is on its way has come. */
  bytesComing(hash: BlobHash): number {
    return this.#swarm.bytesHere(hash) ?? 0;
  }

  /** The bytes, hash checked; a damaged local copy is replaced once from another holder. */
  async read(hash: BlobHash, from: readonly NodeId[]): Promise<Uint8Array> {
    await this.ensureLocal(hash, from);
    try {
      return await this.#world.blobs.read(hash);
    } catch (error) {
      if (SkeinError.from(error).code !== "BLOB_HASH_MISMATCH") throw error;
      this.#events.emit("blobDamaged", { hash, holder: this.#peers.self }, "warn");
      await this.ensureLocal(hash, from);
      return this.#world.blobs.read(hash);
    }
  }

  /** What a run needs: a large input is checked on the disk and then read as it is handed over, so that it is never held here. */
  async input(hash: BlobHash): Promise<Uint8Array | StreamedInput> {
    const bytes = await this.#world.blobs.size(hash);
    if (bytes === undefined || bytes <= LIMITS.blobHeldBytesMax) return this.read(hash, []);
    await this.makeSound(hash, []);
    return { length: bytes, read: () => this.#world.blobs.stream(hash) };
  }

  /** A blob of any size in chunks, hash checked before the first. @throws as `read` */
  async readInChunks(
    hash: BlobHash,
    from: readonly NodeId[],
  ): Promise<{ bytes: number; chunks: AsyncIterable<Uint8Array> }> {
    await this.ensureLocal(hash, from);
    const bytes = (await this.#world.blobs.size(hash)) ?? 0;
    if (bytes <= LIMITS.blobHeldBytesMax) {
      const whole = await this.read(hash, from);
      return { bytes: whole.length, chunks: once(whole) };
    }
    await this.makeSound(hash, from);
    return { bytes, chunks: this.#world.blobs.stream(hash) };
  }

  /**
   * Asks one node to hold these blobs, all of which are here. Resolves with those it holds now. Given up as soon as the node
   * is suspected: results wait for this, and another box may take the copies at once, long before the link is down.
   */
  async copyTo(to: NodeId, blobs: readonly BlobToCopy[]): Promise<Set<BlobHash>> {
    const held = new Set<BlobHash>();
    for (let rest = [...blobs]; rest.length > 0; ) {
      const areSmall = rest.slice(0, SMALL_COPY_BATCH).every(({ bytes }) => bytes <= LIMITS.smallInHandBytesMax);
      const batch = rest.splice(0, areSmall ? SMALL_COPY_BATCH : COPY_BATCH);
      const question = { blobs: batch.map((b) => b.hash), inline: await this.#inline(batch), from: [this.#peers.self] };
      const bytes = batch.reduce((sum, blob) => sum + blob.bytes, 0);
      const deadlineMs = COPY_BASE_MS + bytes / COPY_BYTES_PER_MS;
      const answer = await this.#whileHeard(to, (signal) =>
        this.#peers.ask(to, "copy", question, { deadlineMs, signal }),
      );
      for (const hash of answer.held) held.add(hash);
      if (answer.reason) {
        // If that is because ours is damaged, nobody but us can find that out.
        for (const { hash } of batch) if (!held.has(hash)) await this.makeSound(hash, []);
        throw new SkeinError("COPIES_SHORT", { made: held.size, wanted: blobs.length, reason: answer.reason });
      }
    }
    return held;
  }

  async #whileHeard<T>(node: NodeId, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const given = new AbortController();
    const asking = this.#copying.get(node) ?? new Set();
    this.#copying.set(node, asking.add(given));
    try {
      return await ask(given.signal);
    } finally {
      asking.delete(given);
    }
  }

  #giveUpCopiesTo(peer: NodeId): void {
    const error = new SkeinError("PEER_UNREACHABLE", { peer, reason: "it has gone quiet" });
    for (const given of this.#copying.get(peer) ?? []) given.abort(error);
  }

  /** Which nodes hold which of these blobs, asked of each of them now. An unreachable one holds nothing for the moment. */
  async whoHolds(blobs: readonly BlobHash[], nodes: readonly NodeId[]): Promise<Map<BlobHash, NodeId[]>> {
    const holders = new Map<BlobHash, NodeId[]>(blobs.map((hash) => [hash, []]));
    const distinct = [...holders.keys()];
    const answers = await Promise.all(
      nodes.map(async (node) => {
        const held = await this.#peers.ask(node, "have", { blobs: distinct }).then(
          (answer) => answer.held,
          () => [],
        );
        return { node, held };
      }),
    );
    for (const { node, held } of answers) for (const hash of held) holders.get(hash)?.push(node);
    return holders;
  }

  /** Reads a copy of this node's own to the end; a damaged one is replaced. @throws BLOB_MISSING when nobody has a sound one */
  async makeSound(hash: BlobHash, from: readonly NodeId[]): Promise<void> {
    if (await this.#world.blobs.verify(hash)) return;
    this.#events.emit("blobDamaged", { hash, holder: this.#peers.self }, "warn");
    await this.ensureLocal(hash, from);
  }

  async #inline(batch: readonly BlobToCopy[]): Promise<Uint8Array[]> {
    let room = INLINE_TOTAL_MAX;
    return Promise.all(
      batch.map(({ hash, bytes, content }) => {
        const fits = bytes <= INLINE_BYTES_MAX && bytes <= room;
        if (fits) room -= bytes;
        return fits ? (content ?? this.read(hash, [])) : new Uint8Array();
      }),
    );
  }

  async #takeCopies(
    blobs: BlobHash[],
    inline: Uint8Array[],
    from: NodeId[],
  ): Promise<{ held: BlobHash[]; reason: string }> {
    // All at once: small ones that are put together share an fsync, and the network lets only so many transfers run.
    const outcomes = await Promise.allSettled(
      blobs.map((hash, i) => {
        const bytes = inline[i];
        return bytes && bytes.length > 0 ? this.#world.blobs.put(bytes, hash) : this.ensureLocal(hash, from);
      }),
    );
    const held = blobs.filter((_, i) => outcomes[i]?.status === "fulfilled");
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    return { held, reason: failed ? SkeinError.from(failed.reason).message : "" };
  }

  async #held(blobs: readonly BlobHash[]): Promise<BlobHash[]> {
    const sizes = await Promise.all(blobs.map((hash) => this.#world.blobs.size(hash)));
    return blobs.filter((_, i) => sizes[i] !== undefined);
  }

  async #serve(
    hash: BlobHash,
    offset: number,
    length: number,
  ): ReturnType<Parameters<Surroundings["network"]["serveBlobs"]>[0]> {
    const bytes = await this.#world.blobs.size(hash);
    if (bytes === undefined) return this.#swarm.source(hash, offset, length);
    return { bytes, chunks: this.#world.blobs.stream(hash, offset, length) };
  }

  /** Whoever served other bytes than it said reads its copy again. */
  #doubt(holder: NodeId, blob: BlobHash): void {
    this.#peers.ask(holder, "doubt", { blob }).catch((error: unknown) => {
      this.#world.telemetry.log("debug", "doubtUntold", { holder, reason: SkeinError.from(error).message });
    });
  }

  #candidates(from: readonly NodeId[]): Candidates {
    const others = this.#reachable().filter((node) => node !== this.#peers.self);
    return {
      holders: from.filter((node) => others.includes(node)),
      spares: others.filter((node) => !from.includes(node)),
    };
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
