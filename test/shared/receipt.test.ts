import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { createIdentity, createSigner, createVerifier } from "../../agent/io/network/index.ts";
import type { Signer } from "../../agent/ports/index.ts";
import { fromBase64, toBase64 } from "../../shared/base64.ts";
import { canonicalJson } from "../../shared/canonical-json.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { FleetId, NodeId } from "../../shared/ids.ts";
import type { ItemResult, JobView, Receipt } from "../../shared/job.ts";
import { letterErrors, writePageText } from "../../shared/page-text.ts";
import { readReceipt, receiptFaults, receiptStatement, writeReceipt } from "../../shared/receipt.ts";
import { outputDifference } from "../../shared/same-output.ts";
import { pipelineStatement, type ResultPlace, resultStatement, signatureState } from "../../shared/statement.ts";
import { A, B, blob, job, result, shard } from "../support/nouns.ts";
import { pretendReceipt } from "../support/pretend-receipt.ts";
import { pretendSigner } from "../support/pretend-signer.ts";

const boxes = new Map<NodeId, Signer>();
let receipt: Receipt;
beforeAll(async () => {
  for (let i = 0; i < 3; i++) {
    const { nodeId, key } = await createIdentity();
    boxes.set(nodeId, createSigner(key));
  }
  const nodes = [...boxes.keys()];
  const view: JobView = {
    jobId: job("x"),
    pipeline: "ocr",
    state: "done",
    submittedAtMs: 1_000,
    endedAtMs: 9_000,
    items: 4,
    itemsRecorded: 4,
    itemsFailed: 0,
    shares: nodes.map((nodeId, i) => ({ nodeId, name: `n${i}`, itemsRecorded: 1, itemsLeased: 0, shardsRecorded: 1 })),
    duplicatesIgnored: 0,
    priority: "normal",
    copies: 2,
  };
  const results = [0, 1, 2, 3].map((item) => {
    const { jobId: _, ...made } = result("x", item, { node: nodes[item % 3]!, holders: nodes.slice(0, 2) });
    return { ...made, name: `page-${item}`, input: blob(item), recordedAtIndex: 20 + item };
  });
  receipt = pretendReceipt(view, results, nodes[0]!, (node) => boxes.get(node)!);
});
const verify = createVerifier();

/** What a reader of the file is told. */
async function complaints(text: string): Promise<string[]> {
  try {
    return (await receiptFaults(readReceipt(text), verify)).map(({ what }) => what);
  } catch (error) {
    if (SkeinError.from(error).code !== "BAD_REQUEST") throw error;
    return ["unreadable"];
  }
}

test("a receipt that nobody touched has no faults, and needs no more than its nodes' ids", async () => {
  expect(await complaints(writeReceipt(receipt))).toEqual([]);
});

test("a receipt in which any byte was changed is refused or told", async () => {
  const bytes = new TextEncoder().encode(writeReceipt(receipt));
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const changed = bytes.slice();
      changed[at]! ^= change;
      expect(await complaints(new TextDecoder().decode(changed))).not.toEqual([]);
    }),
    { numRuns: 700 },
  );
});

test("a receipt that is cut short, or has something behind it, is refused", async () => {
  const text = writeReceipt(receipt);
  for (const changed of ["", text.slice(0, -1), text.slice(0, 500), `${text}\n`, ` ${text}`, JSON.stringify(receipt)])
    expect(await complaints(changed)).toEqual(["unreadable"]);
});

test("whoever signs a changed receipt anew cannot sign for the nodes that made the results", async () => {
  const [forger] = [...boxes.keys()];
  const forge = (results: Receipt["results"]): Receipt => {
    const forged = { ...receipt, results, writtenBy: forger! };
    return { ...forged, signature: toBase64(boxes.get(forger!)!.sign(receiptStatement(forged))) };
  };
  const [first, second, ...rest] = receipt.results;
  const changed = forge([first!, { ...second!, output: blob(99) }, ...rest]);
  expect(await complaints(writeReceipt(changed))).toEqual(["signatureWrong"]);
  const { signature: _, ...unsigned } = second!;
  expect(await complaints(writeReceipt(forge([first!, unsigned, ...rest])))).toEqual(["signatureAbsent"]);
  const stolen = { ...second!, node: forger! };
  expect(await complaints(writeReceipt(forge([first!, stolen, ...rest])))).toEqual(["signatureWrong"]);
  expect(await complaints(writeReceipt(forge([first!, second!])))).toEqual(["countWrong", "countWrong"]);
  expect(await complaints(writeReceipt(forge([first!, first!, ...rest])))).toEqual(["countWrong"]);
});

const PLACE: ResultPlace = { fleetId: "f" as FleetId, jobId: job("x"), input: blob(1) };
const RESULT: ItemResult = {
  item: 3,
  output: blob(2),
  outputBytes: 5,
  node: A,
  shardId: shard("job-x/1.1"),
  durationMs: 12.5,
  finishedAtMs: 1e12,
  madeWith: blob(3),
};
const sign = (place: ResultPlace, made: ItemResult, by = A): string =>
  toBase64(pretendSigner(by).sign(resultStatement(place, made)));
const pretendVerify = pretendSigner(A).verify;

test.each<[string, Partial<ResultPlace>, Partial<ItemResult>]>([
  ["fleet", { fleetId: "g" as FleetId }, {}],
  ["job", { jobId: job("y") }, {}],
  ["input", { input: blob(9) }, {}],
  ["item", {}, { item: 4 }],
  ["output", {}, { output: blob(9) }],
  ["size", {}, { outputBytes: 6 }],
  ["error", {}, { error: { code: "INPUT_EMPTY", message: "m", facts: {} } }],
  ["pipeline", {}, { madeWith: blob(9) }],
  ["node", {}, { node: B }],
  ["shard", {}, { shardId: shard("job-x/1.2") }],
  ["duration", {}, { durationMs: 13 }],
  ["time", {}, { finishedAtMs: 2e12 }],
])("a signature says the %s", async (_, place, made) => {
  const signed = { ...RESULT, signature: sign(PLACE, RESULT) };
  expect(await signatureState(PLACE, signed, pretendVerify)).toBe("valid");
  expect(await signatureState({ ...PLACE, ...place }, { ...signed, ...made }, pretendVerify)).toBe("wrong");
});

test("a signature of another node, one that is no base64, and none at all are told apart from a valid one", async () => {
  expect(await signatureState(PLACE, { ...RESULT, signature: sign(PLACE, RESULT, B) }, pretendVerify)).toBe("wrong");
  expect(await signatureState(PLACE, { ...RESULT, signature: "?" }, pretendVerify)).toBe("wrong");
  expect(await signatureState(PLACE, RESULT, pretendVerify)).toBe("absent");
});

test("two pipelines have one statement only if they run the same models", () => {
  const model = { name: "det", sha256: "a".repeat(64), bytes: 1 };
  const ocr = { name: "ocr", version: "1", models: [model] };
  const text = (pipeline: typeof ocr): string => new TextDecoder().decode(pipelineStatement(pipeline));
  expect(text({ ...ocr, models: [{ ...model, bytes: 2 }] })).toBe(text(ocr));
  expect(text({ ...ocr, version: "2" })).not.toBe(text(ocr));
  expect(text({ ...ocr, models: [{ ...model, sha256: "b".repeat(64) }] })).not.toBe(text(ocr));
});

test("one value has one canonical text, whatever the order of its keys, and comes back from it", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value);
      expect(canonicalJson(JSON.parse(text))).toBe(text);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
  expect(canonicalJson({ b: 1, a: [undefined, { d: null, c: undefined }] })).toBe('{"a":[null,{"d":null}],"b":1}');
});

test("bytes have one base64, and another text for them is none", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(fromBase64(toBase64(bytes))).toEqual(bytes);
    }),
  );
  for (const text of ["QQ", "QR==", "QQ==\n", "Q===", "ä"]) expect(fromBase64(text)).toBeUndefined();
});

/** As the definition has it, and as slow. */
function distance(a: string, b: string): number {
  if (a === "" || b === "") return a.length + b.length;
  const rest = distance(a.slice(1), b.slice(1));
  if (a[0] === b[0]) return rest;
  return 1 + Math.min(rest, distance(a.slice(1), b), distance(a, b.slice(1)));
}

test("letters that differ are counted as the definition counts them, up to the most that is asked for", () => {
  const short = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 6 });
  fc.assert(
    fc.property(short, short, fc.nat(7), (a, b, errorsMax) => {
      const errors = distance(a, b);
      expect(letterErrors(a, b, errorsMax)).toBe(errors <= errorsMax ? errors : undefined);
    }),
  );
});

const page = (text: string, width = 10): Uint8Array =>
  writePageText({ version: 1, width, height: 10, text, lines: [] });

test.each([
  ["one letter in a hundred", page("x".repeat(200)), page(`${"x".repeat(198)}yy`), undefined],
  [
    "two letters in a hundred",
    page("x".repeat(100)),
    page(`${"x".repeat(98)}yy`),
    "more than 1 % of its 100 letters are others",
  ],
  ["scores alone", page("x"), new TextEncoder().encode(`${new TextDecoder().decode(page("x"))} `), undefined],
  ["the page's size", page("x"), page("x", 11), "the page has another size"],
  ["everything", page("x"), new Uint8Array([1]), "what is computed is no page's text"],
])("of a page computed again elsewhere %s may differ or not", (_, recorded, again, difference) => {
  expect(outputDifference("ocr", recorded, again)).toBe(difference);
});

test("another pipeline's output is the same only to the byte", () => {
  expect(outputDifference("canary", page("x"), page("y"))).toBe("its bytes are others");
});
