import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Carried } from "../../shared/peer-requests.ts";
import type { BlobAccess } from "./blob-access.ts";
import type { Events } from "./events.ts";
import type { Peers } from "./peers.ts";
import type { Surroundings } from "./surroundings.ts";

/** A holder that is frozen is given up after that, and the input fetched as any other. */
const ASK_DEADLINE_MS = 2_000;
/** What some hold and others do not, as the parts of one task, is not with the first of them. */
const HOLDERS_ASKED_MAX = 3;

export interface SmallInHandInit {
  peers: Peers;
  blobAccess: BlobAccess;
  events: Events;
}

interface Wanted {
  hash: BlobHash;
  done: (bytes: Uint8Array | undefined) => void;
}

/**
 * Blobs of a few kilobytes that a worker has in hand: inputs from their fetch to their run, outputs until they are copied.
 * Inputs are asked of their holders many in one request and never written to this disk, where nobody would count them: a
 * stream and an fsync for each would cost more than the work. What does not come so is fetched as any other blob. All of
 * it may be forgotten at any time, for it is elsewhere too.
 */
export class SmallInHand {
  readonly #world: Surroundings;
  readonly #peers: Peers;
  readonly #blobAccess: BlobAccess;
  readonly #events: Events;
  /** The oldest first. */
  readonly #kept = new Map<BlobHash, Uint8Array>();
  #keptBytes = 0;
  readonly #wanted = new Map<NodeId, Wanted[]>();
  readonly #asking = new Set<NodeId>();

  constructor(world: Surroundings, { peers, blobAccess, events }: SmallInHandInit) {
    this.#world = world;
    this.#peers = peers;
    this.#blobAccess = blobAccess;
    this.#events = events;
    peers.answer("readSmall", async (_from, { blobs }) => ({
      contents: await Promise.all(blobs.map((hash) => this.#give(hash))),
    }));
  }

  /** @throws BLOB_MISSING when nobody reachable has it whole; DISK_FULL */
  async fetch(hash: BlobHash, from: readonly NodeId[]): Promise<void> {
    if (this.#kept.has(hash)) return;
    let bytes = await this.#own(hash, from);
    const holders = from.filter((node) => node !== this.#peers.self).slice(0, HOLDERS_ASKED_MAX);
    for (const holder of holders) bytes ??= await this.#ask(hash, holder);
    if (bytes) this.keep(hash, bytes);
    else await this.#blobAccess.ensureLocal(hash, from);
  }

  /** What was fetched or made here, if it is still kept. */
  kept(hash: BlobHash): Uint8Array | undefined {
    return this.#kept.get(hash);
  }

  /** Bytes that came along with a request, of which only their hash tells what they are. */
  take({ contents = [] }: Carried, isWanted: (hash: BlobHash) => boolean = () => true): void {
    for (const bytes of contents) {
      const hash = this.#world.sha256(bytes);
      // A piece of a frame would keep all of it.
      if (isWanted(hash)) this.keep(hash, bytes.slice());
    }
  }

  /** What is kept of these, to go along with a request; none of so many that they are better asked for together. */
  carry(hashes: readonly BlobHash[]): Carried {
    const distinct = [...new Set(hashes)];
    const contents = distinct.flatMap((hash) => this.#kept.get(hash) ?? []);
    return contents.length > 0 && distinct.length <= LIMITS.carriedMax ? { contents } : {};
  }

  /** Larger ones are not kept. */
  keep(hash: BlobHash, bytes: Uint8Array): void {
    if (this.#kept.has(hash) || bytes.length > LIMITS.smallInHandBytesMax) return;
    this.#kept.set(hash, bytes);
    this.#keptBytes += bytes.length;
    for (const [oldest, { length }] of this.#kept) {
      if (this.#keptBytes <= LIMITS.smallInHandKeptBytesMax) return;
      this.#kept.delete(oldest);
      this.#keptBytes -= length;
    }
  }

  /** A copy here that is not sound is recorded as one, so it is replaced on this disk and not only passed over. */
  async #own(hash: BlobHash, from: readonly NodeId[]): Promise<Uint8Array | undefined> {
    try {
      return await this.#world.blobs.read(hash);
    } catch (error) {
      if (SkeinError.from(error).code !== "BLOB_HASH_MISMATCH") return undefined;
      this.#events.emit("blobDamaged", { hash, holder: this.#peers.self }, "warn");
      return this.#blobAccess.read(hash, from).catch(() => undefined);
    }
  }

  #ask(hash: BlobHash, holder: NodeId): Promise<Uint8Array | undefined> {
    return new Promise((done) => {
      this.#wanted.set(holder, [...(this.#wanted.get(holder) ?? []), { hash, done }]);
      void this.#askAll(holder);
    });
  }

  /** One request to a holder at a time: what is wanted meanwhile goes together in the next. */
  async #askAll(holder: NodeId): Promise<void> {
    if (this.#asking.has(holder)) return;
    this.#asking.add(holder);
    for (let wanted = this.#take(holder); wanted.length > 0; wanted = this.#take(holder)) {
      const blobs = wanted.map(({ hash }) => hash);
      const contents = await this.#peers
        .ask(holder, "readSmall", { blobs }, { deadlineMs: ASK_DEADLINE_MS })
        .then((answer) => answer.contents)
        .catch(() => []);
      for (const [n, { hash, done }] of wanted.entries()) {
        const bytes = contents[n];
        done(bytes && this.#world.sha256(bytes) === hash ? bytes : undefined);
      }
    }
    this.#asking.delete(holder);
  }

  #take(holder: NodeId): Wanted[] {
    const all = this.#wanted.get(holder) ?? [];
    const some = all.splice(0, LIMITS.smallInHandAskedMax);
    if (all.length === 0) this.#wanted.delete(holder);
    return some;
  }

  /** Empty for what is not here whole, or is not small: the asker sees that by the hash. */
  async #give(hash: BlobHash): Promise<Uint8Array> {
    const bytes = await this.#world.blobs.size(hash);
    if (bytes === undefined || bytes > LIMITS.smallInHandBytesMax) return new Uint8Array();
    return (await this.#own(hash, [])) ?? new Uint8Array();
  }
}
