import { expect, test } from "vitest";
import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { PipelineFault } from "../../../shared/pipeline/compile.ts";
import { readPipeline } from "../../../shared/pipeline/read.ts";
import { READ_ONE } from "../../support/pipeline-parts.ts";

function faultsOf(text: string): PipelineFault[] {
  try {
    readPipeline(text);
  } catch (error) {
    const { code, facts } = SkeinError.from(error);
    if (code === "PIPELINE_INVALID") return facts.faults as PipelineFault[];
    throw error;
  }
  return [];
}

test.each([
  ["JSON", JSON.stringify(READ_ONE)],
  ["JSON on many lines", JSON.stringify(READ_ONE, null, 2)],
  ["JSON with tabs and the line ends of Windows", JSON.stringify(READ_ONE, null, "\t").replaceAll("\n", "\r\n")],
])("%s is read as what it is", (_, text) => {
  expect(readPipeline(text).definition).toEqual(READ_ONE);
});

test("each part has its place, and what is missing that of what it should be in", () => {
  const text = 'name: x\nstages:\n  a:\n    map: [one, two]\n  "b c": { in: { p: q } }\n';
  const { placeOf } = readPipeline(text);
  expect(placeOf([])).toEqual({ line: 1, column: 1 });
  expect(placeOf(["name"])).toEqual({ line: 1, column: 1 });
  expect(placeOf(["stages", "a", "map", 1])).toEqual({ line: 4, column: 16 });
  expect(placeOf(["stages", "b c", "in", "p"])).toEqual({ line: 5, column: 18 });
  expect(placeOf(["stages", "a", "model"])).toEqual({ line: 3, column: 3 });
});

test("a block that is repeated by an alias has a place too", () => {
  const { definition, placeOf } = readPipeline("a: &a { x: 1 }\nb: *a\n");
  expect(definition).toEqual({ a: { x: 1 }, b: { x: 1 } });
  expect(placeOf(["b", "x"])).toEqual({ line: 1, column: 9 });
});

const bomb = [
  "a: &a [x,x,x,x,x,x,x,x,x]",
  ..."bcdefghi".split("").map((name, i) => `${name}: &${name} [${Array(9).fill(`*${"abcdefgh"[i]}`).join(",")}]`),
].join("\n");

test.each<[string, string, Partial<PipelineFault>, RegExp]>([
  ["a key twice", "name: x\nname: y\n", { line: 2, column: 1 }, /must be unique/],
  ["a bracket that is not closed", "name: x\nstages: { a: [1 }\n", { line: 2 }, /./],
  ["two documents", "name: x\n---\nname: y\n", { line: 2 }, /multiple documents/],
  ["a key that is a list", "? [a]\n: b\n", { line: 1 }, /./],
  ["a tag nobody knows", "name: !!js/function x\n", { line: 1, column: 7 }, /[Uu]nresolved tag/],
  ["an alias of nothing", "name: *nobody\n", {}, /./],
  ["a bomb of aliases", bomb, {}, /repeats parts of itself too often/],
  ["brackets without end", "[".repeat(30_000), {}, /./],
  ["brackets that nest too deep", `x: ${"[".repeat(20_000)}${"]".repeat(20_000)}`, {}, /nests too deep|./],
  ["too long a text", `says: ${"x".repeat(LIMITS.pipelineBytesMax)}`, {}, /the most is 65536/],
])("refused with its place: %s", (_, text, place, reason) => {
  const [first, ...more] = faultsOf(text);
  expect(first).toMatchObject({ path: "", ...place });
  expect(first?.reason).toMatch(reason);
  expect(more.length).toBeLessThan(LIMITS.pipelineFaultsMax);
});
