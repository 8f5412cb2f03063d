import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../shared/ids.ts";
import type { SnapshotPiece } from "../../shared/ledger-snapshot.ts";
import { LIMITS } from "../../shared/limits.ts";
import { invalid } from "../../shared/wire/codec.ts";
import { looksLikeLedgerPiece } from "../../shared/wire/ledger-snapshot.ts";
import { type Ledger, LedgerBuilder, type LedgerContents } from "../core/ledger/index.ts";
import type { BlobAccess } from "./blob-access.ts";
import type { Surroundings } from "./surroundings.ts";
import { within } from "./waiting.ts";

/** Pieces fetched at once. */
const FETCHES = 4;
/** For one piece from whoever has it: many times what the slowest link that carries a heartbeat takes. */
const PIECE_DEADLINE_MS = 60_000;

/**
 * The blobs that snapshots are made of. Each has its claimants (the journal's snapshot, one that is being taken, fetched or
 * sent); what nobody claims any more is removed, unless a job stands on the same bytes.
 */
export class SnapshotPieces {
  readonly #world: Surroundings;
  readonly #blobAccess: BlobAccess;
  readonly #ledger: Ledger;
  readonly #claims = new Map<string, ReadonlySet<BlobHash>>();
  /** Pieces that came to this disk in this life. */
  readonly #known = new Set<BlobHash>();
  #knowsDisk = false;
  #removing: Promise<void> = Promise.resolve();

  constructor(world: Surroundings, blobAccess: BlobAccess, ledger: Ledger) {
    this.#world = world;
    this.#blobAccess = blobAccess;
    this.#ledger = ledger;
  }

  /** Replaces what this claimant claimed. Resolves when nothing of it is being removed any more. */
  claim(claimant: string, pieces: readonly SnapshotPiece[]): Promise<void> {
    const hashes = new Set(pieces.map(({ hash }) => hash));
    for (const hash of hashes) this.#known.add(hash);
    this.#claims.set(claimant, hashes);
    return this.#removing;
  }

  letGo(claimant: string): void {
    this.#claims.delete(claimant);
  }

  isClaimed(hash: BlobHash): boolean {
    return [...this.#claims.values()].some((hashes) => hashes.has(hash));
  }

  /** Makes the next piece of a snapshot durable. @throws DISK_FULL, TOO_LARGE */
  async add(claimant: string, before: readonly SnapshotPiece[], bytes: Uint8Array): Promise<SnapshotPiece> {
    const limit = LIMITS.snapshotPiecesMax;
    if (before.length >= limit)
      throw new SkeinError("TOO_LARGE", { what: "the number of pieces", actual: limit + 1, limit });
    const piece = { hash: this.#world.sha256(bytes), bytes: bytes.length };
    await this.claim(claimant, [...before, piece]);
    await this.#world.blobs.put(bytes, piece.hash);
    return piece;
  }

  /** Brings all pieces here, from `from` or whoever has them, and reads them. Those that are here already stay. @throws FRAME_INVALID, BLOB_MISSING, DISK_FULL, DEADLINE_EXCEEDED */
  async build(
    pieces: readonly SnapshotPiece[],
    index: number,
    from: readonly NodeId[],
    onPiece: () => void = () => {},
  ): Promise<LedgerContents> {
    const due = [...pieces];
    const bring = async (): Promise<void> => {
      for (let piece = due.shift(); piece; piece = due.shift()) {
        await this.#bring(piece.hash, from);
        onPiece();
      }
    };
    await Promise.all(Array.from({ length: FETCHES }, bring));
    const builder = new LedgerBuilder();
    for (const { hash, bytes } of pieces) {
      const piece = await this.#blobAccess.read(hash, from);
      if (piece.length !== bytes) throw invalid(`piece ${hash} has ${piece.length} bytes instead of ${bytes}`);
      builder.take(piece);
      onPiece();
    }
    return builder.finish(index);
  }

  /** Whether all of them are here and sound; a damaged one is set aside. */
  async areWhole(pieces: readonly SnapshotPiece[]): Promise<boolean> {
    try {
      for (const { hash } of pieces) await this.#world.blobs.read(hash);
      return true;
    } catch (error) {
      this.#world.telemetry.log("warn", "pieceDamaged", { reason: SkeinError.from(error).message });
      return false;
    }
  }

  /** Removes what nobody claims. Never fails: what could not be removed now is tried again after the next snapshot. */
  sweep(): void {
    this.#removing = this.#removing
      .then(() => this.#sweep())
      .catch((error: unknown) => {
        this.#world.telemetry.log("warn", "piecesNotRemoved", { reason: SkeinError.from(error).message });
      });
  }

  async #bring(hash: BlobHash, from: readonly NodeId[]): Promise<void> {
    const brought = this.#blobAccess.ensureLocal(hash, from).then(() => true);
    if (await within(this.#world.clock, PIECE_DEADLINE_MS, brought)) return;
    throw new SkeinError("DEADLINE_EXCEEDED", {
      what: "fetching a piece of a snapshot",
      deadlineMs: PIECE_DEADLINE_MS,
    });
  }

  async #sweep(): Promise<void> {
    if (!this.#knowsDisk) await this.#lookAtDisk();
    for (const hash of [...this.#known]) {
      // Asked anew for each: a claim may have come while the one before was removed.
      if (this.isClaimed(hash)) continue;
      this.#known.delete(hash);
      if (!this.#ledger.holders.has(hash)) await this.#world.blobs.remove(hash);
    }
  }

  /** Once a life: pieces that an earlier one left, of snapshots that it did not finish or could not remove. */
  async #lookAtDisk(): Promise<void> {
    const { blobs } = this.#world;
    for (const { hash } of await blobs.list()) {
      if (this.#known.has(hash) || this.#ledger.holders.has(hash)) continue;
      for await (const chunk of blobs.stream(hash)) {
        if (looksLikeLedgerPiece(chunk)) this.#known.add(hash);
        break;
      }
    }
    this.#knowsDisk = true;
  }
}
