/** A journal whose disk changed behind its back says so, or reads back exactly what was written; never something else. */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ClassicLevel } from "classic-level";
import { describe, expect, test } from "vitest";
import { openJournal } from "../../../agent/io/journal/index.ts";
import { entryKey, sealEntry } from "../../../agent/io/journal/records.ts";
import type { Journal, JournalContents } from "../../../agent/ports/index.ts";
import type { RaftEntry } from "../../../shared/raft.ts";
import { encodeEntry } from "../../../shared/wire/raft.ts";
import { silent, temporaryFolder } from "../../support/small-disk.ts";
import { seededRandomness } from "../../support/virtual-clock.ts";

const entry = (index: number, term: number, bytes = 200): RaftEntry => ({
  index,
  term,
  kind: "normal",
  data: new Uint8Array(bytes).map((_, at) => at * index + term),
});

const open = (path: string): Promise<Journal> => openJournal(path, { telemetry: silent });

async function read(path: string): Promise<JournalContents> {
  const journal = await open(path);
  try {
    return await journal.load();
  } finally {
    await journal.close();
  }
}

/** Three lives, so that there are tables and a log; the last write is a vote. */
async function written(path: string): Promise<{ beforeLast: JournalContents; whole: JournalContents }> {
  let journal = await open(path);
  for (let index = 1; index <= 30; index++)
    await journal.append({ entries: [entry(index, 1)], hardState: { term: 1, vote: "", commit: index - 1 } });
  await journal.close();
  journal = await open(path);
  await journal.append({ entries: [entry(28, 2), entry(29, 2)], hardState: { term: 2, vote: "", commit: 27 } });
  await journal.close();
  journal = await open(path);
  for (let index = 30; index <= 34; index++)
    await journal.append({ entries: [entry(index, 3, index === 32 ? 70_000 : 300)] });
  const beforeLast = await journal.load();
  await journal.append({ hardState: { term: 4, vote: "", commit: 27 }, entries: [] });
  const whole = await journal.load();
  await journal.close();
  return { beforeLast, whole };
}

async function outcomeOf(path: string): Promise<JournalContents | "JOURNAL_CORRUPT"> {
  try {
    return await read(path);
  } catch (error) {
    expect(error).toMatchObject({ code: "JOURNAL_CORRUPT" });
    return "JOURNAL_CORRUPT";
  }
}

test("a flipped bit anywhere in its files is found, or changes nothing", async () => {
  const path = await temporaryFolder();
  const journal = join(path, "journal");
  const { beforeLast, whole } = await written(journal);
  const seed = Math.trunc(Math.random() * 2 ** 31);
  const { random } = seededRandomness(seed);
  const copy = join(path, "copy");
  let found = 0;
  for (const name of readdirSync(journal)) {
    const bytes = readFileSync(join(journal, name));
    for (let flip = 0; flip < (bytes.length > 0 ? 8 : 0); flip++) {
      const at = Math.floor(random() * bytes.length);
      rmSync(copy, { recursive: true, force: true });
      cpSync(journal, copy, { recursive: true });
      const changed = new Uint8Array(bytes);
      changed[at]! ^= 1 << Math.floor(random() * 8);
      writeFileSync(join(copy, name), changed);
      const outcome = await outcomeOf(copy);
      if (outcome === "JOURNAL_CORRUPT") found += 1;
      // The last write alone may be taken for torn.
      else if (!isDeepStrictEqual(outcome, beforeLast))
        expect(outcome, `seed ${seed}: ${name}, byte ${at} of ${bytes.length}`).toEqual(whole);
    }
  }
  expect(found).toBeGreaterThan(10);
});

test("a log that was cut short gives back a whole earlier moment", async () => {
  const path = await temporaryFolder();
  const journal = join(path, "journal");
  const { beforeLast, whole } = await written(journal);
  const [log] = readdirSync(journal).filter((name) => name.endsWith(".log"));
  const bytes = readFileSync(join(journal, log!));
  for (let cut = 0; cut < bytes.length; cut += Math.ceil(bytes.length / 12)) {
    const copy = join(path, `copy-${cut}`);
    cpSync(journal, copy, { recursive: true });
    writeFileSync(join(copy, log!), bytes.subarray(0, cut));
    const { entries, hardState } = await read(copy);
    expect(hardState).toEqual({ term: 2, vote: "", commit: 27 });
    expect(entries).toEqual(beforeLast.entries.slice(0, entries.length));
    expect(entries.length).toBeGreaterThanOrEqual(29);
  }
  expect(await read(journal)).toEqual(whole);
});

test.each([
  ["CURRENT", /^CURRENT$/],
  ["the manifest", /^MANIFEST/],
  ["a table", /\.ldb$/],
  ["the log", /\.log$/],
])("a journal without %s is damaged, not new", async (_, pattern) => {
  const path = await temporaryFolder();
  await written(path);
  rmSync(join(path, readdirSync(path).find((name) => pattern.test(name))!));
  await expect(read(path)).rejects.toMatchObject({ code: "JOURNAL_CORRUPT" });
});

describe("records that do not belong together", () => {
  const cases: [what: string, reason: RegExp, change: (level: ClassicLevel<string, Uint8Array>) => Promise<void>][] = [
    ["an entry missing in the middle", /entry 12 is missing/, (level) => level.del(entryKey(12))],
    ["the last entry missing", /ends at entry 33 instead of 34/, (level) => level.del(entryKey(34))],
    ["the tip missing", /tip is missing/, (level) => level.del("tip")],
    [
      "an entry in another's place",
      /holds entry 11/,
      async (level) => level.put(entryKey(12), (await level.get(entryKey(11)))!),
    ],
    [
      "an entry whose term goes back",
      /term 0 follows term 1 at entry 12/,
      (level) => level.put(entryKey(12), sealEntry(0, encodeEntry(entry(12, 0)))),
    ],
    [
      "an entry of an overwritten tail that came back",
      /entry 29 does not continue/,
      (level) => level.put(entryKey(29), sealEntry(0, encodeEntry(entry(29, 2, 10)))),
    ],
    [
      "an entry beyond the last",
      /ends at entry 35 instead of 34|entry 35 does not continue/,
      (level) => level.put(entryKey(35), sealEntry(0, encodeEntry(entry(35, 4)))),
    ],
    ["a record nobody knows", /nobody knows/, (level) => level.put("other", new Uint8Array(4))],
  ];

  test.each(cases)("%s are found", async (_, reason, change) => {
    const path = await temporaryFolder();
    await written(path);
    const level = new ClassicLevel<string, Uint8Array>(path, { valueEncoding: "view" });
    await change(level);
    await level.close();
    const error = await read(path).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "JOURNAL_CORRUPT", facts: { reason: expect.stringMatching(reason) } });
  });

  test("an older vote with all later entries in place is found", async () => {
    const path = await temporaryFolder();
    const journal = await open(path);
    await journal.append({ entries: [entry(1, 1)], hardState: { term: 1, vote: "", commit: 0 } });
    await journal.close();
    const level = new ClassicLevel<string, Uint8Array>(path, { valueEncoding: "view" });
    const olderTip = (await level.get("tip"))!;
    await level.close();
    const again = await open(path);
    await again.append({ entries: [entry(2, 2)], hardState: { term: 2, vote: "", commit: 0 } });
    await again.close();
    const changed = new ClassicLevel<string, Uint8Array>(path, { valueEncoding: "view" });
    await changed.put("tip", olderTip);
    await changed.close();
    await expect(read(path)).rejects.toMatchObject({ code: "JOURNAL_CORRUPT" });
  });
});
