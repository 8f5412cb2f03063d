/** What a model or an operator takes and gives when it runs once. */
import { refuse } from "../checks.ts";
import { SkeinError } from "../errors.ts";
import type { ModelManifest, TensorSpec } from "../model.ts";
import type { Json, TypeText } from "./definition.ts";
import type { At, Faults } from "./faults.ts";
import type { OperatorSpec } from "./operators.ts";
import { type PortType, parseType, typeText } from "./types.ts";

export interface TakenPort {
  type: PortType;
  optional: boolean;
}
export type TakenPorts = ReadonlyMap<string, TakenPort>;
export type GivenPorts = ReadonlyMap<string, PortType>;

/**
 * A model that batches takes and gives rows, the first dimension. For one element of a list that is one row, so that the
 * rows of several elements can go together.
 */
export function modelPorts(
  { inputs, outputs, batches }: ModelManifest,
  isMapped: boolean,
  at: At,
  faults: Faults,
): { takes: TakenPorts; gives: GivenPorts } {
  const one = (spec: TensorSpec): [string, PortType] | undefined => {
    if (spec.datatype === "BYTES") {
      faults.add(at, `has texts (BYTES) as ${spec.name}, which pipelines carry as JSON and not as a tensor`);
      return undefined;
    }
    const shape = batches && isMapped ? [1, ...spec.shape.slice(1)] : [...spec.shape];
    return [spec.name, { kind: "tensor", datatype: spec.datatype, shape }];
  };
  const takes = inputs.flatMap((spec) => {
    const port = one(spec);
    return port ? [[port[0], { type: port[1], optional: false }] as const] : [];
  });
  return { takes: new Map(takes), gives: new Map(outputs.flatMap((spec) => [one(spec)].filter((port) => !!port))) };
}

export const operatorTakes = ({ inputs }: OperatorSpec): TakenPorts =>
  new Map(
    Object.entries(inputs).map(([name, { type, optional }]) => [
      name,
      { type: parseType(type, name), optional: optional === true },
    ]),
  );

/** As its outputs are declared, or as it says of what it is given. @throws BAD_REQUEST if it refuses what it is given */
export function operatorGives(
  { name, outputs, giving }: OperatorSpec,
  parameters: Record<string, Json>,
  given: ReadonlyMap<string, PortType>,
): GivenPorts {
  const types = Object.fromEntries([...given].map(([port, type]): [string, TypeText] => [port, typeText(type)]));
  const declared = Object.entries(outputs).map(([port, { type }]): [string, TypeText] => [port, type]);
  const told = giving ? Object.entries(asked(name, () => giving(parameters, types))) : [];
  return new Map([...declared, ...told].map(([port, type]) => [port, parseType(type, `${name} gives ${port}, which`)]));
}

/** Operators may be somebody's own: what one of them throws says that it cannot be used so. */
function asked<T>(name: string, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    const { code, facts, message } = SkeinError.from(error);
    return refuse("", `is refused by ${name}: ${code === "BAD_REQUEST" ? facts.reason : message}`);
  }
}
