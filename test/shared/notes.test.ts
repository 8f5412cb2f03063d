import { expect, test } from "vitest";
import { decodeNotedRate, decodeNotedResult, encodeNotedRate, encodeNotedResult } from "../../shared/wire/notes.ts";
import { A, blob, job, result, shard } from "../support/nouns.ts";

const lease = {
  term: 3,
  shardId: shard("job-x/3.1"),
  jobId: job("x"),
  pipeline: "ocr",
  items: [{ item: 2, name: "page.png", blob: blob(2), bytes: 99 }],
  inputHolders: [A],
  copies: 2,
};
const noted = {
  lease,
  result: result("x", 2, { madeWith: blob(3), signature: Buffer.alloc(64, 7).toString("base64") }),
};
const rate = { executors: 2, secondsPerItem: 0.4, source: "work" as const };

test("a result and a rate come back from their notes", () => {
  expect(decodeNotedResult(encodeNotedResult(noted))).toEqual(noted);
  expect(decodeNotedRate(encodeNotedRate(rate))).toEqual(rate);
});

test.each([
  ["cut short", encodeNotedResult(noted).subarray(0, 60)],
  ["of another item", encodeNotedResult({ ...noted, result: result("x", 3) })],
  ["of another job", encodeNotedResult({ ...noted, result: result("y", 2) })],
  ["of no item", encodeNotedResult({ ...noted, lease: { ...lease, items: [] } })],
  ["empty", new Uint8Array()],
])("a noted result that is %s is refused", (_, bytes) => {
  expect(() => decodeNotedResult(bytes)).toThrow(expect.objectContaining({ code: "FRAME_INVALID" }));
});

test.each([
  ["takes no time", { ...rate, secondsPerItem: 0 }],
  ["takes for ever", { ...rate, secondsPerItem: Number.POSITIVE_INFINITY }],
  ["comes from nowhere", { ...rate, source: "" as "work" }],
])("a noted rate that %s is refused", (_, spoiled) => {
  expect(() => decodeNotedRate(encodeNotedRate(spoiled))).toThrow(expect.objectContaining({ code: "FRAME_INVALID" }));
});
