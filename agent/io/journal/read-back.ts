import type { RaftEntry, RaftSnapshot } from "../../../shared/raft.ts";
import type { JournalContents } from "../../ports/index.ts";
import type { Database } from "./database.ts";
import { Outline } from "./outline.ts";
import { damagedUnless, isEntryKey, openEntry, openSnapshot, openTip, snapshotKey, tipKey } from "./records.ts";

/**
 * Reads the whole journal and holds it against its tip.
 * @throws Damage if anything that was durable is missing, changed or out of order.
 */
export async function readBack(database: Database): Promise<{ contents: JournalContents; outline: Outline }> {
  const outline = new Outline();
  const entries: RaftEntry[] = [];
  const sealedTip = await database.get(tipKey);
  const tip = sealedTip && openTip(sealedTip);
  if (tip) Object.assign(outline, { base: tip.base, hardState: tip.hardState, sequence: tip.sequence });
  let snapshot: RaftSnapshot | undefined;
  for await (const [key, value] of database.records()) {
    damagedUnless(sealedTip, "its tip is missing");
    if (isEntryKey(key)) entries.push(readEntry(outline, key, value));
    else if (key === snapshotKey) snapshot = openSnapshot(value);
    else {
      damagedUnless(key === tipKey, `nobody knows the record ${key}`);
      // A table whose index is damaged may hide the newest tip from a look-up by key and not from a walk.
      damagedUnless(Buffer.compare(value, sealedTip) === 0, "its tip is there in two forms");
    }
  }
  if (tip) {
    const { index, term } = tip.base;
    damagedUnless(
      (snapshot?.index ?? 0) === index && (snapshot?.term ?? 0) === term,
      `the snapshot up to entry ${index} of term ${term} is missing`,
    );
    damagedUnless(
      outline.lastIndex === tip.lastIndex,
      `it ends at entry ${outline.lastIndex} instead of ${tip.lastIndex}`,
    );
    damagedUnless(outline.lastChain === tip.lastChain, "its last entry is not the one that was written last");
  }
  const contents = { hardState: { ...outline.hardState }, entries, ...(snapshot ? { snapshot } : {}) };
  return { contents, outline };
}

function readEntry(outline: Outline, key: string, value: Uint8Array): RaftEntry {
  const { entry, chain, payload } = openEntry(key, value);
  const expected = outline.lastIndex + 1;
  damagedUnless(entry.index === expected, `entry ${expected} is missing and entry ${entry.index} is there`);
  damagedUnless(
    entry.term >= outline.lastTerm,
    `term ${entry.term} follows term ${outline.lastTerm} at entry ${expected}`,
  );
  damagedUnless(outline.push(entry.term, payload) === chain, `entry ${expected} does not continue what is before it`);
  return entry;
}
