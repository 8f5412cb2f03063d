import { expect, test } from "vitest";
import { SkeinError } from "../../shared/errors.ts";
import { type PageText, readPageText, wordRecall, writePageText } from "../../shared/page-text.ts";

const PAGE: PageText = {
  version: 1,
  width: 100,
  height: 50,
  text: "Grüße\n水",
  lines: [{ text: "Grüße", score: 0.98765, box: [1.4, 2.6, 30, 9] }],
};
const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

test("a page is written in one way only, whatever the order its parts were put together in", () => {
  const { lines, text, height, width, version } = PAGE;
  const [{ box, score, text: lineText } = PAGE.lines[0]!] = lines;
  const other: PageText = { lines: [{ box, score, text: lineText }], text, height, width, version };
  expect(writePageText(other)).toEqual(writePageText(PAGE));
  expect(new TextDecoder().decode(writePageText(PAGE))).toBe(
    '{"version":1,"width":100,"height":50,"text":"Grüße\\n水","lines":[{"text":"Grüße","score":0.988,"box":[1,3,30,9]}]}',
  );
});

test("what was written is read back", () => {
  const read = readPageText(writePageText(PAGE));
  expect(read).toEqual({ ...PAGE, lines: [{ text: "Grüße", score: 0.988, box: [1, 3, 30, 9] }] });
});

test("anything else is refused", () => {
  const line = PAGE.lines[0]!;
  const bad: unknown[] = [
    null,
    [],
    "text",
    { ...PAGE, version: 2 },
    { ...PAGE, width: -1 },
    { ...PAGE, height: 1.5 },
    { ...PAGE, text: 7 },
    { ...PAGE, lines: {} },
    { ...PAGE, lines: [null] },
    { ...PAGE, lines: [{ ...line, box: [1, 2, 3] }] },
    { ...PAGE, lines: [{ ...line, box: [1, 2, 3, "4"] }] },
    { ...PAGE, lines: [{ ...line, box: [1, 2, 3, 4], score: 1.2 }] },
    { ...PAGE, lines: [{ ...line, box: [1, 2, 3, 4], text: undefined }] },
  ];
  const inputs = [...bad.map(bytesOf), new Uint8Array(0), Uint8Array.of(0x22, 0xff, 0x22)];
  for (const input of inputs) {
    let error: unknown;
    try {
      readPageText(input);
    } catch (caught) {
      error = caught;
    }
    expect(error, new TextDecoder().decode(input)).toBeInstanceOf(SkeinError);
    expect((error as SkeinError).code).toBe("BAD_REQUEST");
  }
});

test("word recall counts each word as often as it stands there, with its capitals and signs", () => {
  expect(wordRecall("a b c d", "d c b a")).toBe(1);
  expect(wordRecall("a a a b", "a b")).toBe(0.5);
  expect(wordRecall("Total: 5.50", "total: 5.50")).toBe(0.5);
  expect(wordRecall("one two", "onetwo")).toBe(0);
  expect(wordRecall("one\n\ntwo ", "two\tone extra")).toBe(1);
  expect(wordRecall("", "anything")).toBe(1);
  expect(wordRecall("word", "")).toBe(0);
});
