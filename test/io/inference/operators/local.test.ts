import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createInferenceEngine } from "../../../../agent/io/inference/index.ts";
import { readyOperator } from "../../../../agent/io/inference/operators/index.ts";
import { readLocalOperators } from "../../../../agent/io/inference/operators/local.ts";
import { compilePipeline } from "../../../../shared/pipeline/compile.ts";
import { OPERATORS } from "../../../../shared/pipeline/operators/index.ts";
import type { OperatorSpec } from "../../../../shared/pipeline/operators.ts";
import { segmentOf } from "../../../../shared/pipeline/segment.ts";
import type { Value } from "../../../../shared/pipeline/values.ts";
import { json } from "./running.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "operators-"));
});
afterEach(() => rm(folder, { recursive: true }));

const spec = {
  name: "local/reverse@1",
  says: "A text from its end.",
  inputs: { text: { type: "text", says: "any" } },
  outputs: { text: { type: "text", says: "turned round" } },
  parameters: { times: { type: "integer", says: "how often", min: 0, max: 9, default: 1 } },
};
const put = (name: string, code: string, changes: object = {}): Promise<void> =>
  writeFile(join(folder, name), `export const spec = ${JSON.stringify({ ...spec, ...changes })};\n${code}`);
const REVERSE = `export function prepare({ times }) {
  return (inputs) => {
    let letters = [...inputs.text("text")];
    for (let n = 0; n < times; n++) letters = letters.reverse();
    return { text: { kind: "json", json: letters.join("") } };
  };
}`;

const run = async (times?: number): Promise<Value | undefined> => {
  const { operators } = await readLocalOperators(folder);
  const told: Record<string, number> = times === undefined ? {} : { times };
  return (await readyOperator(operators, "local/reverse@1", told, {}).run({ text: json("abc") })).text;
};

test("an operator of the owner runs as the others do, within the bounds that it has given itself", async () => {
  await put("reverse.mjs", REVERSE);
  expect(await run()).toEqual(json("cba"));
  expect(await run(2)).toEqual(json("abc"));
  await expect(run(10)).rejects.toMatchObject({ code: "INPUT_INVALID" });
});

test("a file that is broken is named with its reason, and the others are there", async () => {
  await put("a-good.mjs", REVERSE);
  await put("b-name.mjs", REVERSE, { name: "image/resize@1" });
  await put("c-again.mjs", REVERSE);
  await put("d-nothing.mjs", "");
  await put("e-type.mjs", REVERSE, { name: "local/e@1", outputs: { text: { type: "words", says: "x" } } });
  await put("f-bound.mjs", REVERSE, { name: "local/f@1", parameters: { times: { type: "integer", says: "x" } } });
  await put("g-throws.mjs", 'throw new Error("not today");');
  await writeFile(join(folder, "h-syntax.mjs"), "export const = 3;");
  await writeFile(join(folder, "notes.txt"), "no operator");
  const { operators, faults } = await readLocalOperators(folder);
  expect([...operators.keys()]).toEqual(["local/reverse@1"]);
  expect(faults.map(({ file, reason }) => [file, reason.slice(0, 45)])).toEqual([
    ["b-name.mjs", 'spec.name must be as local/reverse@1, not "im'],
    ["c-again.mjs", "local/reverse@1 is in another file too"],
    ["d-nothing.mjs", "it must export a function prepare(parameters,"],
    ["e-type.mjs", "spec.outputs.text.type must be a type, as tex"],
    ["f-bound.mjs", "spec.parameters.times must have a min and a m"],
    ["g-throws.mjs", "not today"],
    ["h-syntax.mjs", expect.any(String)],
  ]);
});

test("a module that never finishes loading is left behind", async () => {
  await put(
    "waits.mjs",
    "await new Promise((resolve) => setTimeout(resolve, 60_000).unref());\nexport const prepare = () => {};",
  );
  await put("works.mjs", REVERSE);
  const { operators, faults } = await readLocalOperators(folder, 300);
  expect([...operators.keys()]).toEqual(["local/reverse@1"]);
  expect(faults).toEqual([{ file: "waits.mjs", reason: "it was not loaded within 300 ms" }]);
});

test("what it gives is checked before others build on it", async () => {
  await put("reverse.mjs", 'export const prepare = () => () => ({ text: { kind: "json", json: 3 } });');
  await expect(run()).rejects.toThrow("local/reverse@1: its output text must be text, not 3");
  await rm(join(folder, "reverse.mjs"));
  await expect(run()).rejects.toThrow("this executor has no such operator");
});

test("no folder is no operators", async () => {
  expect(await readLocalOperators(join(folder, "none"))).toEqual({ operators: new Map(), faults: [] });
});

test("an engine loads them into its executors, tells what there is, and runs a pipeline that needs one", async () => {
  await put("reverse.mjs", REVERSE);
  await put("wrong.mjs", REVERSE, { name: "wrong" });
  const told: string[] = [];
  const operators = new Map(OPERATORS);
  const onLocalOperators = (specs: readonly OperatorSpec[]): void => {
    for (const one of specs) operators.set(one.name, one);
  };
  const telemetry = { log: (_: string, event: string, facts?: object) => void told.push(event, JSON.stringify(facts)) };
  const engine = createInferenceEngine({ executors: 1, operatorsFolder: folder, onLocalOperators }, { telemetry });
  try {
    await engine.start();
    expect(told.join()).toContain('localOperatorRefused,{"file":"wrong.mjs"');
    const definition = {
      ...{ name: "backwards", version: 1, inputs: { text: { type: "text" } }, outputs: { text: "turned.text" } },
      stages: { turned: { operator: "local/reverse@1", in: { text: "text" } } },
    };
    const nothing = (): undefined => undefined;
    const compiled = compilePipeline(definition, {
      operator: (name) => operators.get(name),
      model: nothing,
      pipeline: nothing,
    });
    engine.install(segmentOf(compiled, [0], true));
    const input = new TextEncoder().encode("abc");
    const { output } = await engine.run({ pipeline: "backwards:1", name: "a text", input, deadlineMs: 20_000 });
    expect(JSON.parse(new TextDecoder().decode(output))).toEqual({ text: "cba" });
  } finally {
    await engine.stop();
  }
}, 60_000);
