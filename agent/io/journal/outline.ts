import { crc32 } from "node:zlib";
import { invariant } from "../../../shared/errors.ts";
import type { HardState, RaftSnapshot } from "../../../shared/raft.ts";
import { encodeEntry } from "../../../shared/wire/raft.ts";
import type { JournalBatch } from "../../ports/index.ts";
import { type Base, entryKey, sealEntry, sealSnapshot, sealTip, snapshotKey, tipKey } from "./records.ts";

/** What one LevelDB batch is made of. */
export type Operation = { type: "put"; key: string; value: Uint8Array } | { type: "del"; key: string };

/**
 * What the journal holds, without the bytes: enough to turn a batch into operations without reading the disk.
 * Invariant: `terms[i]` and `chains[i]` belong to the entry at `base.index + 1 + i`.
 */
export class Outline {
  base: Base = { index: 0, term: 0, chain: 0 };
  hardState: HardState = { term: 0, vote: "", commit: 0 };
  /** Commits (fsyncs) in this journal's life; tells whether a commit that reported an error is on disk after all. */
  sequence = 0;
  #terms: number[] = [];
  #chains: number[] = [];

  get lastIndex(): number {
    return this.base.index + this.#terms.length;
  }

  get lastTerm(): number {
    return this.#terms.at(-1) ?? this.base.term;
  }

  get lastChain(): number {
    return this.#chains.at(-1) ?? this.base.chain;
  }

  /** Takes a batch up and adds what that does to the disk. If it throws (a caller broke the port's rules) nothing has changed. */
  take(batch: JournalBatch, operations: Operation[]): void {
    this.#check(batch);
    const payloads = batch.entries.map(encodeEntry);
    if (batch.snapshot) this.#takeSnapshot(batch.snapshot, operations);
    const first = batch.entries[0];
    if (first) this.#cutFrom(first.index, operations);
    for (const [place, entry] of batch.entries.entries()) {
      const payload = payloads[place]!;
      const chain = this.push(entry.term, payload);
      operations.push({ type: "put", key: entryKey(entry.index), value: sealEntry(chain, payload) });
    }
    if (batch.hardState) this.hardState = { ...batch.hardState };
  }

  /** Adds the entry that follows the last one; returns the running checksum at it. */
  push(term: number, payload: Uint8Array): number {
    const chain = crc32(payload, this.lastChain);
    this.#terms.push(term);
    this.#chains.push(chain);
    return chain;
  }

  /** Ends a commit: the record that says what must be found beside it. */
  seal(): Operation {
    this.sequence += 1;
    return { type: "put", key: tipKey, value: sealTip(this) };
  }

  #check({ snapshot, entries }: JournalBatch): void {
    if (snapshot) invariant(snapshot.index >= this.base.index, "a snapshot never goes back");
    const [first] = entries;
    if (!first) return;
    const baseIndex = snapshot?.index ?? this.base.index;
    const lastIndex = snapshot && !this.#follows(snapshot) ? snapshot.index : this.lastIndex;
    invariant(first.index > baseIndex, "entries come after the snapshot");
    invariant(first.index <= lastIndex + 1, "entries leave no gap");
    let term = first.index - 1 > baseIndex ? this.#termAt(first.index - 1) : (snapshot?.term ?? this.base.term);
    for (const [offset, entry] of entries.entries()) {
      invariant(entry.index === first.index + offset, "entries are contiguous");
      invariant(entry.term >= term, "terms never go back");
      term = entry.term;
    }
  }

  /** Whether the entries after the snapshot continue it: the journal holds its last entry under the same term. */
  #follows(snapshot: RaftSnapshot): boolean {
    return snapshot.index <= this.lastIndex && this.#termAt(snapshot.index) === snapshot.term;
  }

  #takeSnapshot(snapshot: RaftSnapshot, operations: Operation[]): void {
    operations.push({ type: "put", key: snapshotKey, value: sealSnapshot(snapshot) });
    const follows = this.#follows(snapshot);
    const lastCut = follows ? snapshot.index : this.lastIndex;
    for (let index = this.base.index + 1; index <= lastCut; index++)
      operations.push({ type: "del", key: entryKey(index) });
    const chain = follows ? this.#chainAt(snapshot.index) : 0;
    const keptFrom = lastCut - this.base.index;
    this.#terms = this.#terms.slice(keptFrom);
    this.#chains = this.#chains.slice(keptFrom);
    this.base = { index: snapshot.index, term: snapshot.term, chain };
  }

  #cutFrom(firstIndex: number, operations: Operation[]): void {
    for (let index = firstIndex; index <= this.lastIndex; index++)
      operations.push({ type: "del", key: entryKey(index) });
    this.#terms.length = firstIndex - this.base.index - 1;
    this.#chains.length = this.#terms.length;
  }

  #termAt(index: number): number {
    return this.#terms[index - this.base.index - 1] ?? this.base.term;
  }

  #chainAt(index: number): number {
    return this.#chains[index - this.base.index - 1] ?? this.base.chain;
  }
}
