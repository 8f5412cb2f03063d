/** What agent/ports/notes.ts promises, held against the real notes and the simulator's. */
import { describe, expect, test } from "vitest";
import { openNotes } from "../../agent/io/notes/index.ts";
import type { Notes } from "../../agent/ports/index.ts";
import { PretendNotes } from "../support/pretend-notes.ts";
import { silent } from "../support/small-disk.ts";
import { temporaryFolder } from "../support/temporary.ts";

const MAKERS: { name: string; make: () => () => Promise<Notes> }[] = [
  {
    name: "the notes on LevelDB",
    make: () => {
      const path = `${temporaryFolder()}/notes`;
      return () => openNotes(path, { telemetry: silent });
    },
  },
  {
    name: "the pretend notes",
    make: () => {
      const notes = new PretendNotes();
      return async () => notes.open();
    },
  },
];
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const texts = (found: Map<string, Uint8Array>): [string, string][] =>
  [...found].map(([key, value]) => [key, new TextDecoder().decode(value)]);

describe.each(MAKERS)("$name", ({ make }) => {
  test("are there after a restart, in the order of their keys", async () => {
    const open = make();
    const notes = await open();
    await notes.write([
      { key: "b/2", value: bytes("two") },
      { key: "b/1", value: bytes("one") },
      { key: "c", value: bytes("other") },
    ]);
    await notes.close();
    const again = await open();
    expect(texts(await again.list("b/"))).toEqual([
      ["b/1", "one"],
      ["b/2", "two"],
    ]);
    await again.close();
  });

  test("the last word on a key holds, and a note without value is gone", async () => {
    const notes = await make()();
    await Promise.all([
      notes.write([{ key: "a", value: bytes("1") }]),
      notes.write([
        { key: "a", value: bytes("2") },
        { key: "b", value: bytes("3") },
      ]),
      notes.write([{ key: "b" }, { key: "never there" }]),
    ]);
    expect(texts(await notes.list(""))).toEqual([["a", "2"]]);
    await notes.close();
  });
});
