/** What references come to while a pipeline is compiled. */
import type { Source } from "./compiled.ts";
import type { PipelineDefinition } from "./definition.ts";
import { type At, type Faults, quoted } from "./faults.ts";
import { readReference } from "./order.ts";
import type { PortType } from "./types.ts";

export interface Found {
  source: Source;
  type: PortType;
  /** Of a list that a mapped stage makes: the list that its elements are in step with. */
  over?: Source;
}

/** By port; undefined where it cannot be told, because something else is wrong that was said already. */
export type Outputs = ReadonlyMap<string, Found> | undefined;

/** The inputs of a pipeline, and the outputs of its stages as far as they were looked at. */
export class Scope {
  readonly #definition: PipelineDefinition;
  readonly #inputs: ReadonlyMap<string, Found | undefined>;
  readonly #made = new Map<string, Outputs>();
  readonly #faults: Faults;

  constructor(definition: PipelineDefinition, inputs: ReadonlyMap<string, Found | undefined>, faults: Faults) {
    this.#definition = definition;
    this.#inputs = inputs;
    this.#faults = faults;
  }

  make(stage: string, outputs: Outputs): void {
    this.#made.set(stage, outputs);
  }

  /** Undefined where there is none, which is a fault, or where it cannot be told. */
  find(reference: string, at: At): Found | undefined {
    // What stands there was no reference, and was said to be none.
    if (reference === "") return undefined;
    const { stage, port } = readReference(reference);
    return stage === undefined ? this.#input(port, at) : this.#output(stage, port, at);
  }

  #input(name: string, at: At): Found | undefined {
    if (this.#inputs.has(name)) return this.#inputs.get(name);
    const outputs = this.#made.get(name);
    const first = outputs && [...outputs.keys()][0];
    if (Object.hasOwn(this.#definition.stages, name))
      this.#faults.add(at, `names a stage and not what it gives, as ${name}.${first ?? "PORT"}`);
    else
      this.#faults.unknown(at, `takes ${quoted(name)}, which is no input of the pipeline`, name, [
        ...this.#inputs.keys(),
      ]);
    return undefined;
  }

  #output(stage: string, port: string, at: At): Found | undefined {
    const { stages } = this.#definition;
    if (!Object.hasOwn(stages, stage)) {
      this.#faults.unknown(at, `takes from ${quoted(stage)}, and there is no such stage`, stage, Object.keys(stages));
      return undefined;
    }
    const outputs = this.#made.get(stage);
    if (outputs && !outputs.has(port))
      this.#faults.unknown(at, `takes ${quoted(port)} of ${stage}, which does not give that`, port, [
        ...outputs.keys(),
      ]);
    return outputs?.get(port);
  }
}
