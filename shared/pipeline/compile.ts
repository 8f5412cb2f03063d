/** From what people wrote to what is run: checked as a whole, every fault found, then flat and in order. */
import { LIMITS } from "../limits.ts";
import type { ModelManifest } from "../model.ts";
import type { CompiledPipeline, CompiledStage } from "./compiled.ts";
import { type PipelineDefinition, pipelineReference, type StageDefinition } from "./definition.ts";
import { checkDefinition, NO_TYPE } from "./definition-check.ts";
import { type At, Faults, type PlaceOf, pathText, quoted } from "./faults.ts";
import { type Found, type Outputs, Scope } from "./found.ts";
import { inlined } from "./inline.ts";
import type { OperatorSpec } from "./operators.ts";
import { orderOf } from "./order.ts";
import { checkFiles, checkParameters } from "./parameters.ts";
import { type GivenPorts, modelPorts, operatorGives, operatorTakes, type TakenPorts } from "./stage-ports.ts";
import { checkDefaults, checkLoop, checkMap, checkSend, checkTaken, checkWhen, type Taken } from "./stage-rules.ts";
import { listOf, type PortType, parseType, typeText } from "./types.ts";

export type { PipelineFault } from "./faults.ts";

/** What a pipeline may stand on. Models and pipelines go by `name:version`. */
export interface KnownParts {
  operator(name: string): OperatorSpec | undefined;
  /** To tell what was probably meant. */
  operatorNames?: readonly string[];
  model(reference: string): ModelManifest | undefined;
  pipeline(reference: string): PipelineDefinition | undefined;
}

/**
 * Anything may be handed in: its form is checked first. One without a version is compiled as version 1. `placeOf` tells where
 * a fault stands in the text that it was read from. @throws PIPELINE_INVALID, with all faults as PipelineFault[]
 */
export function compilePipeline(definition: unknown, known: KnownParts, placeOf?: PlaceOf): CompiledPipeline {
  const faults = new Faults();
  const bytes = new TextEncoder().encode(JSON.stringify(definition) ?? "").length;
  if (bytes > LIMITS.pipelineBytesMax)
    faults.add([], `has ${bytes} bytes as JSON; the most is ${LIMITS.pipelineBytesMax}`);
  const checked = checkDefinition(bytes > LIMITS.pipelineBytesMax ? {} : definition, faults);
  const compiled = new Compiling(checked, known, faults, [referenceOf(checked)]).run();
  if (compiled.stages.length > LIMITS.pipelineStagesMax)
    faults.add(
      ["stages"],
      `are ${compiled.stages.length} with those of pipelines inside; the most is ${LIMITS.pipelineStagesMax}`,
    );
  faults.end(checked.name || "that was given", placeOf);
  return compiled;
}

const referenceOf = ({ name, version = 1 }: PipelineDefinition): string => pipelineReference({ name, version });

interface StageTerms {
  runs: CompiledStage["runs"];
  takes: TakenPorts;
  /** Undefined where it cannot be told, because what it is given is not known, or at fault. */
  gives: (
    given: ReadonlyMap<string, PortType> | undefined,
    parameters: CompiledStage["with"],
  ) => GivenPorts | undefined;
  spec?: OperatorSpec;
}

/** What a stage is given, and what that says of how it runs. */
interface Given {
  taken: Taken;
  over: CompiledStage["over"] | undefined;
  when: CompiledStage["when"] | undefined;
}

/** One pipeline on its way; those inside it are compiled by themselves, and put in flat. */
class Compiling {
  readonly #definition: PipelineDefinition;
  readonly #known: KnownParts;
  readonly #faults: Faults;
  /** References of the pipelines that it stands in, itself last. */
  readonly #within: readonly string[];
  readonly #scope: Scope;
  readonly #stages: CompiledStage[] = [];

  constructor(definition: PipelineDefinition, known: KnownParts, faults: Faults, within: readonly string[]) {
    this.#definition = definition;
    this.#known = known;
    this.#faults = faults;
    this.#within = within;
    const inputs = Object.entries(definition.inputs).map(([port, { type }]): [string, Found | undefined] => [
      port,
      type === NO_TYPE ? undefined : { source: { stage: -1, port }, type: parseType(type) },
    ]);
    this.#scope = new Scope(definition, new Map(inputs), faults);
  }

  run(): CompiledPipeline {
    const { says = "", inputs, stages, outputs } = this.#definition;
    for (const name of orderOf(this.#definition, this.#faults))
      this.#scope.make(name, this.#take(name, stages[name]!, ["stages", name]));
    const given = Object.entries(outputs).flatMap(([name, reference]) => {
      const found = this.#scope.find(reference, ["outputs", name]);
      return found ? [[name, found.source] as const] : [];
    });
    return {
      reference: this.#within.at(-1)!,
      says,
      inputs: Object.entries(inputs).map(([name, { type }]) => ({ name, type })),
      stages: this.#stages,
      outputs: Object.fromEntries(given),
    };
  }

  #take(name: string, stage: StageDefinition, at: At): Outputs {
    const taken: Taken = new Map(
      Object.entries(stage.in ?? {}).map(([port, reference]) => [
        port,
        { reference, found: this.#scope.find(reference, [...at, "in", port]) },
      ]),
    );
    const over = checkMap(stage.map ?? [], taken, at, this.#faults);
    const isMapped = (stage.map ?? []).length > 0;
    const value = stage.when && this.#scope.find(stage.when.value, [...at, "when", "value"]);
    const when = stage.when && checkWhen(stage.when, value, { isMapped, over }, at, this.#faults);
    if (stage.pipeline !== undefined) return this.#inline(name, stage, { taken, over, when }, at);
    const terms = this.#termsOf(stage, isMapped, at);
    return terms && this.#place(name, stage, terms, { taken, over, when }, at);
  }

  #place(name: string, stage: StageDefinition, terms: StageTerms, { taken, over, when }: Given, at: At): Outputs {
    const faults = this.#faults;
    const before = faults.found.length;
    const given = checkTaken(stage, terms.takes, taken, at, faults);
    const { with: parameters, files } = this.#parametersOf(stage, terms, at);
    const isSound = faults.found.length === before && given.size === taken.size;
    const once = terms.gives(isSound ? given : undefined, parameters);
    const gives = once && stage.loop ? checkLoop(stage.loop, terms.takes, once, taken, at, faults) : once;
    if (!gives) return undefined;
    const { onError = "fail", keep = "auto", send = {}, map = [], loop, batch, on, deadlineMs } = stage;
    if (typeof onError === "object") checkDefaults(onError.default, gives, at, faults);
    checkSend(send, gives, at, faults);
    const found = [...taken].flatMap(([port, { found }]) => (found ? [[port, found.source] as const] : []));
    const place = this.#stages.push({
      name,
      runs: terms.runs,
      in: Object.fromEntries(found),
      with: parameters,
      files,
      map,
      ...(over && { over }),
      ...(when && { when }),
      ...(loop && { loop }),
      ...(batch !== undefined && { batch }),
      ...(on && { on }),
      ...(deadlineMs !== undefined && { deadlineMs }),
      ...{ onError, keep, send },
      gives: Object.fromEntries([...gives].map(([port, type]) => [port, typeText(type)])),
    });
    const outputs = [...gives].map(([port, type]): [string, Found] => [
      port,
      { source: { stage: place - 1, port }, type: map.length > 0 ? listOf(type) : type, ...(over && { over }) },
    ]);
    return new Map(outputs);
  }

  /** Undefined where it is not known what runs. */
  #termsOf(stage: StageDefinition, isMapped: boolean, at: At): StageTerms | undefined {
    const { model, operator } = stage;
    if ((model === undefined) === (operator === undefined)) return undefined;
    if (model !== undefined) {
      const manifest = this.#modelNamed(model, at);
      if (!manifest) return undefined;
      const { takes, gives } = modelPorts(manifest, isMapped, [...at, "model"], this.#faults);
      return { runs: { kind: "model", model }, takes, gives: () => gives };
    }
    const spec = this.#known.operator(operator!);
    if (!spec) {
      const names = this.#known.operatorNames ?? [];
      const like = names.filter((name) => name.split("/")[0] === operator!.split("/")[0]);
      this.#faults.unknown(
        [...at, "operator"],
        `names ${quoted(operator!)}, which no box knows`,
        operator!,
        like.length > 0 ? like : names,
      );
      return undefined;
    }
    const gives: StageTerms["gives"] = (given, parameters) =>
      spec.giving && !given
        ? undefined
        : this.#faults.attempt(at, () => operatorGives(spec, parameters, given ?? new Map()));
    return { runs: { kind: "operator", operator: operator! }, takes: operatorTakes(spec), gives, spec };
  }

  #modelNamed(reference: string, at: At): ModelManifest | undefined {
    const below = [...at, "model"];
    const manifest = this.#known.model(reference);
    if (manifest) return manifest;
    const isWhole = /^[^:/]+:\d+$/.test(reference);
    this.#faults.add(
      below,
      isWhole
        ? `names ${quoted(reference)}, which the fleet does not have; \`skein model add\` brings it`
        : `must be NAME:VERSION, so that it means the same for ever, not ${quoted(reference)}`,
    );
    return undefined;
  }

  #parametersOf(stage: StageDefinition, { spec }: StageTerms, at: At): Pick<CompiledStage, "with" | "files"> {
    if (!spec) {
      if (stage.with) this.#faults.add([...at, "with"], "is for operators; a model has no parameters");
      if (stage.files) this.#faults.add([...at, "files"], "is for operators; a model has its own");
      return { with: {}, files: {} };
    }
    const model = (reference: string): ModelManifest | undefined => this.#known.model(reference);
    return {
      with: checkParameters(spec, stage.with ?? {}, at, this.#faults),
      files: checkFiles(spec, stage.files ?? {}, model, at, this.#faults),
    };
  }

  #inline(name: string, stage: StageDefinition, outer: Given, at: At): Outputs {
    const inner = this.#innerOf(stage.pipeline!, [...at, "pipeline"]);
    for (const key of ["with", "files", "loop", "send"] as const)
      if (stage[key]) this.#faults.add([...at, key], "belongs to a stage of the pipeline inside, not to all of it");
    if (typeof stage.onError === "object")
      this.#faults.add([...at, "onError"], "can be fail or skip for a whole pipeline; defaults belong to its stages");
    if (!inner) return undefined;
    const takes = new Map(
      inner.inputs.map(({ name: port, type }) => [port, { type: parseType(type), optional: false }]),
    );
    checkTaken(stage, takes, outer.taken, at, this.#faults);
    const inputs = [...outer.taken].flatMap(([port, { found }]) => (found ? [[port, found] as const] : []));
    const { over, when } = outer;
    const into = { name, stage, inputs: new Map(inputs), over, when, base: this.#stages.length };
    const { stages, outputs } = inlined(inner, into, at, this.#faults);
    this.#stages.push(...stages);
    return outputs;
  }

  #innerOf(reference: string, at: At): CompiledPipeline | undefined {
    if (this.#within.includes(reference)) {
      this.#faults.add(at, `holds itself: ${[...this.#within, reference].join(" holds ")}`);
      return undefined;
    }
    const definition = this.#known.pipeline(reference);
    if (!definition) {
      this.#faults.add(at, `names ${quoted(reference)}, which the fleet does not have; it must be NAME:VERSION`);
      return undefined;
    }
    const faults = new Faults();
    const inner = new Compiling(definition, this.#known, faults, [...this.#within, reference]).run();
    for (const { at: inside, reason } of faults.found)
      this.#faults.add(at, `${reference} has a fault: ${pathText(inside)} ${reason}`);
    return faults.found.length > 0 ? undefined : inner;
  }
}
