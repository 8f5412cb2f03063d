/** A ledger that was written down and restored cannot be told from one that never was, whatever was agreed before and after. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Ledger, LedgerBuilder } from "../../../agent/core/ledger/index.ts";
import type { LedgerEntry } from "../../../shared/ledger-entry.ts";
import { decodeLedgerEntry, encodeLedgerEntry } from "../../../shared/wire/ledger.ts";
import { anEntry, firstEntries } from "./entries.ts";

const PIECE_BYTES = 2_000;
const entries = fc.array(anEntry, { maxLength: 25 });

function applyAll(ledger: Ledger, list: readonly LedgerEntry[]): void {
  // Through the wire, as every entry comes.
  for (const entry of list) ledger.apply(decodeLedgerEntry(encodeLedgerEntry(entry)), ledger.appliedIndex + 1);
  ledger.assertSound();
}

function piecesOf(ledger: Ledger): Uint8Array[] {
  const pieces = [...ledger.hold().pieces(PIECE_BYTES)];
  ledger.letGo();
  return pieces;
}

function restored(pieces: readonly Uint8Array[], index: number): Ledger {
  const builder = new LedgerBuilder();
  for (const piece of pieces) builder.take(piece);
  const ledger = new Ledger();
  ledger.restore(builder.finish(index));
  ledger.assertSound();
  return ledger;
}

test("a restored ledger equals the one that was written down, now and after whatever follows", () => {
  fc.assert(
    fc.property(entries, entries, (before, after) => {
      const ledger = new Ledger();
      applyAll(ledger, [...firstEntries, ...before]);
      const pieces = piecesOf(ledger);
      const other = restored(pieces, ledger.appliedIndex);
      expect(other).toEqual(ledger);
      expect(piecesOf(other)).toEqual(pieces);
      applyAll(ledger, after);
      applyAll(other, after);
      expect(other).toEqual(ledger);
      expect([...other.jobs.keys()]).toEqual([...ledger.jobs.keys()]);
      expect(piecesOf(other)).toEqual(piecesOf(ledger));
    }),
    { numRuns: 200 },
  );
});

test("what is agreed while a ledger is written down does not get into it", () => {
  fc.assert(
    fc.property(entries, fc.array(fc.tuple(anEntry, fc.boolean()), { maxLength: 25 }), (before, meanwhile) => {
      const ledger = new Ledger();
      applyAll(ledger, [...firstEntries, ...before]);
      const atOnce = piecesOf(ledger);
      const pieces: Uint8Array[] = [];
      const writing = ledger.hold().pieces(PIECE_BYTES);
      for (const [entry, thenWrites] of meanwhile) {
        applyAll(ledger, [entry]);
        const piece = thenWrites ? writing.next().value : undefined;
        if (piece) pieces.push(piece);
      }
      expect([...pieces, ...writing]).toEqual(atOnce);
    }),
    { numRuns: 300 },
  );
});

test("bytes that were tampered with are refused with FRAME_INVALID or make a sound ledger, and never throw anything else", () => {
  const ledger = new Ledger();
  applyAll(ledger, firstEntries);
  const pieces = piecesOf(ledger);
  fc.assert(
    fc.property(fc.nat(pieces.length - 1), fc.nat(10_000), fc.nat(255), fc.boolean(), (which, at, byte, cuts) => {
      const harmed = pieces.map((piece) => new Uint8Array(piece));
      const piece = harmed[which]!;
      piece[at % piece.length] = byte;
      if (cuts) harmed[which] = piece.subarray(0, at % piece.length);
      try {
        restored(harmed, ledger.appliedIndex);
      } catch (error) {
        expect(error).toMatchObject({ code: "FRAME_INVALID" });
      }
    }),
    { numRuns: 2_000 },
  );
});
