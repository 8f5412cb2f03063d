/**
 * Pipelines written as a program: calls of models and operators on ports, and no data yet. What comes of it is a definition as
 * YAML would say it; nothing of the program goes anywhere.
 *
 *   const decode = operator("image/decode@1", { gives: ["image", "crops"] });
 *   const resize = operator("image/resize@1", { with: { width: 320 }, gives: ["image"] });
 *   const rec = inner("read-one:1", { gives: ["text", "score"] });
 *   const merge = operator("text/join@1", { gives: ["text"] });
 *
 *   const p = pipeline("reading", { says: "The words of a page." });
 *   const page = p.input("page", "bytes");
 *   const found = decode({ bytes: page });
 *   const words = map(found.crops, (crop) => rec({ crop: resize({ image: crop }).image }).text);
 *   const definition = p.outputs({ text: merge({ texts: words }).text });
 *   await client.pipelineAdd({ definition });
 *
 * Whoever lists the ports (`gives`) has misspelt ones refused by the compiler; types and shapes are for the fleet, which knows
 * the models.
 */
import { refuse } from "../checks.ts";
import type { Condition, PipelineDefinition, Reference, StageDefinition, TypeText } from "./definition.ts";
import { NAME_PATTERN } from "./definition-check.ts";

/** What will flow there. Inside a `map`, one element of a list. */
export class Port {
  readonly reference: Reference;
  readonly owner: Pipeline;
  readonly element: Mapping | undefined;

  constructor(owner: Pipeline, reference: Reference, element?: Mapping) {
    this.owner = owner;
    this.reference = reference;
    this.element = element;
  }
}

/** One `map`, while its function runs. */
interface Mapping {
  isOpen: boolean;
}

export type Ports<G extends string> = { readonly [K in G]: Port };

/** What one call says besides what it takes; as in a definition. */
export interface StageOptions extends Omit<StageDefinition, "model" | "operator" | "pipeline" | "in" | "map" | "when"> {
  /** Default: after what runs. */
  name?: string;
  when?: Omit<Condition, "value"> & { value: Port };
  /** Of one that takes nothing: where it belongs. */
  of?: Pipeline;
}

/** Called on ports, it becomes a stage of their pipeline. @throws BAD_REQUEST for ports of two pipelines, or of a map that is over */
export type Callable<T extends string, G extends string> = (
  takes: { readonly [K in T]?: Port },
  options?: StageOptions,
) => Ports<G>;

export interface CallableOptions<T extends string, G extends string> {
  /** Names of the ports, for the compiler. Absent: any. */
  takes?: readonly T[];
  gives?: readonly G[];
}

type Runs = Pick<StageDefinition, "model" | "operator" | "pipeline" | "with" | "files">;

/** `name:version`. */
export const model = <const G extends string = string, const T extends string = string>(
  reference: string,
  ports: CallableOptions<T, G> = {},
): Callable<T, G> => callable({ model: reference }, reference.split(":")[0]!, ports);

/** `group/name@version`. */
export const operator = <const G extends string = string, const T extends string = string>(
  name: string,
  { with: parameters, files, ...ports }: CallableOptions<T, G> & Pick<StageDefinition, "with" | "files"> = {},
): Callable<T, G> =>
  callable(
    { operator: name, ...(parameters && { with: parameters }), ...(files && { files }) },
    name.replace(/^.*\//, "").replace(/@.*$/, ""),
    ports,
  );

/** Another pipeline as a stage: `name:version`. */
export const inner = <const G extends string = string, const T extends string = string>(
  reference: string,
  ports: CallableOptions<T, G> = {},
): Callable<T, G> => callable({ pipeline: reference }, reference.split(":")[0]!, ports);

function callable<T extends string, G extends string>(
  runs: Runs,
  called: string,
  { gives }: CallableOptions<T, G>,
): Callable<T, G> {
  return (takes, options = {}) => {
    const given = Object.entries(takes).filter((entry): entry is [string, Port] => entry[1] instanceof Port);
    const ports = [...given.map(([, port]) => port), ...(options.when ? [options.when.value] : [])];
    const [owner = options.of] = ports.map((port) => port.owner);
    if (!owner) refuse(called, "takes no port, so it must say of which pipeline it is: { of: ... }");
    const element = mappingOf(called, owner, ports);
    const name = owner.add(options.name ?? called, stageOf(runs, given, options));
    return portsOf(gives, (port) => new Port(owner, `${name}.${port}`, element));
  };
}

function mappingOf(called: string, owner: Pipeline, ports: readonly Port[]): Mapping | undefined {
  if (ports.some((port) => port.owner !== owner)) refuse(called, "takes ports of two pipelines");
  const mappings = new Set(ports.flatMap(({ element }) => element ?? []));
  if (mappings.size > 1) refuse(called, "takes elements of two maps; a map inside a map is too much for one pipeline");
  const [mapping] = mappings;
  if (mapping && !mapping.isOpen)
    refuse(called, "takes an element of a map that is over; what map returns are the lists");
  return mapping;
}

function stageOf(runs: Runs, given: readonly [string, Port][], options: StageOptions): StageDefinition {
  const { name: _name, of: _of, when, ...said } = options;
  const map = given.flatMap(([port, { element }]) => (element ? [port] : []));
  return {
    ...runs,
    ...(given.length > 0 && { in: Object.fromEntries(given.map(([port, { reference }]) => [port, reference])) }),
    ...(map.length > 0 && { map }),
    ...(when && { when: { ...when, value: when.value.reference } }),
    ...said,
  };
}

/** Those that are listed; else whichever is asked for. */
function portsOf<G extends string>(gives: readonly G[] | undefined, port: (name: string) => Port): Ports<G> {
  if (gives) return Object.fromEntries(gives.map((name) => [name, port(name)])) as Ports<G>;
  // A promise is told by its `then`: what a call gives may be returned from an async function.
  return new Proxy({} as Ports<G>, {
    get: (_, name) => (typeof name === "string" && name !== "then" ? port(name) : undefined),
  });
}

type Lists = Port | readonly Port[];
type Elements<L extends Lists> = L extends readonly Port[] ? { [K in keyof L]: Port } : [Port];

/**
 * Runs once for each element of a list, or of several of one length: `each` is called once, now, with a port for the element.
 * Ports that it returns, one or a record of them, come back as the lists of what each element gives.
 * @throws BAD_REQUEST for a map inside a map
 */
export function map<const L extends Lists, R extends Port | Readonly<Record<string, Port>>>(
  lists: L,
  each: (...elements: Elements<L>) => R,
): R {
  const all = lists instanceof Port ? [lists] : (lists as readonly Port[]);
  if (all.some(({ element }) => element)) refuse("map", "is inside a map, which is too much for one pipeline");
  const mapping: Mapping = { isOpen: true };
  const elements = all.map(({ owner, reference }) => new Port(owner, reference, mapping));
  const made = each(...(elements as unknown as Elements<L>));
  mapping.isOpen = false;
  const whole = ({ owner, reference }: Port): Port => new Port(owner, reference);
  if (made instanceof Port) return whole(made) as R;
  return Object.fromEntries(Object.entries(made).map(([name, port]) => [name, whole(port)])) as R;
}

/** A pipeline in the making. */
export class Pipeline {
  readonly #head: Pick<PipelineDefinition, "name" | "version" | "says">;
  readonly #inputs: PipelineDefinition["inputs"] = {};
  readonly #stages = new Map<string, StageDefinition>();

  constructor(head: Pick<PipelineDefinition, "name" | "version" | "says">) {
    this.#head = head;
  }

  input(name: string, type: TypeText, says?: string): Port {
    this.#inputs[name] = { type, ...(says !== undefined && { says }) };
    return new Port(this, name);
  }

  /** For calls of models and operators; the name it got. @throws BAD_REQUEST if it was asked for by a name that cannot be */
  add(wanted: string, stage: StageDefinition): string {
    const plain = wanted.replace(/[^A-Za-z0-9_-]/g, "-").slice(0, 28);
    const base = /^[A-Za-z]/.test(plain) ? plain : `s${plain}`;
    if (!new RegExp(NAME_PATTERN).test(base)) refuse("name", `is no name of a stage: ${JSON.stringify(wanted)}`);
    let name = base;
    for (let n = 2; this.#stages.has(name); n++) name = `${base}-${n}`;
    this.#stages.set(name, stage);
    return name;
  }

  /** The end: what it is, as data. @throws BAD_REQUEST for a port of another pipeline */
  outputs(outputs: Readonly<Record<string, Port>>): PipelineDefinition {
    const named = Object.entries(outputs).map(([name, { owner, reference }]) => {
      if (owner !== this) refuse(name, "is a port of another pipeline");
      return [name, reference] as const;
    });
    return {
      ...this.#head,
      inputs: { ...this.#inputs },
      stages: Object.fromEntries(this.#stages),
      outputs: Object.fromEntries(named),
    };
  }
}

export const pipeline = (name: string, head: { version?: number; says?: string } = {}): Pipeline =>
  new Pipeline({ name, ...head });
