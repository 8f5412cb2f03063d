/** The pipelines that pages of the project show, against the operators and models that there are. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { BlobHash } from "../../../shared/ids.ts";
import type { ModelManifest } from "../../../shared/model.ts";
import { map, model, operator, pipeline } from "../../../shared/pipeline/builder.ts";
import { compilePipeline } from "../../../shared/pipeline/compile.ts";
import type { CompiledPipeline } from "../../../shared/pipeline/compiled.ts";
import type { PipelineDefinition } from "../../../shared/pipeline/definition.ts";
import { OPERATORS } from "../../../shared/pipeline/operators/index.ts";
import { readPipeline } from "../../../shared/pipeline/read.ts";
import { SOME_MODELS } from "../../support/pipeline-parts.ts";

const at = (path: string): URL => new URL(`../../../${path}`, import.meta.url);
const read = (path: string): string => readFileSync(at(path), "utf8");

/** The first block of a language on a page. */
function block(path: string, language: string): string {
  const [, text] = read(path).match(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``)) ?? [];
  if (text === undefined) throw new Error(`${path} shows no ${language}`);
  return text;
}

/** With the files that lie in its folder, so that one that is named wrong is noticed. */
function manifest(reference: string): ModelManifest | undefined {
  const known = SOME_MODELS.find(({ name, version }) => `${name}:${version}` === reference);
  const names = known ? readdirSync(at(`agent/applications/customer-service/models/${known.name}/`)) : [];
  const files = names.map((path) => ({ path, blob: "a".repeat(64) as BlobHash, bytes: 10, use: "other" as const }));
  return known && { ...known, files };
}

const parts = { operator: (name: string) => OPERATORS.get(name), model: manifest, pipeline: () => undefined };

function compiled(text: string): CompiledPipeline {
  const { definition, placeOf } = readPipeline(text);
  return compilePipeline(definition, parts, placeOf);
}

const runsOf = ({ stages }: CompiledPipeline) =>
  stages.map(({ runs, map: mapped, files }) => ({ runs, mapped, files }));

test("the pipeline of the README is the sample, and sound", () => {
  const text = block("README.md", "yaml");
  expect(read("agent/samples/pipelines/letter.yaml")).toBe(text);
  expect(compiled(text).stages).toHaveLength(5);
});

test("the program of the README makes the same pipeline", async () => {
  let given: PipelineDefinition | undefined;
  const client = {
    pipelineAdd: async ({ definition }: { definition: PipelineDefinition }) => {
      given = definition;
    },
  };
  const program = `return (async () => {${block("README.md", "ts")}})();`;
  await new Function("operator", "model", "map", "pipeline", "client", program)(operator, model, map, pipeline, client);
  expect(runsOf(compilePipeline(given, parts))).toEqual(runsOf(compiled(block("README.md", "yaml"))));
});

test("the example on the page of the language is sound", () => {
  expect(compiled(block("shared/pipeline/README.md", "yaml")).stages).toHaveLength(7);
});
