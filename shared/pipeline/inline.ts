/** A pipeline that is a stage of another: its stages become stages of the outer one, named `outer/inner`. */
import type { CompiledPipeline, CompiledStage, Source } from "./compiled.ts";
import type { StageDefinition } from "./definition.ts";
import type { At, Faults } from "./faults.ts";
import type { Found } from "./found.ts";
import { listOf, parseType } from "./types.ts";

export interface Outer {
  name: string;
  stage: StageDefinition;
  /** What each input of the inner pipeline is. */
  inputs: ReadonlyMap<string, Found>;
  over: Source | undefined;
  when: CompiledStage["when"] | undefined;
  /** The place that its first stage takes. */
  base: number;
}

export interface Inlined {
  stages: CompiledStage[];
  outputs: Map<string, Found>;
}

/** Mapped, every stage of it that takes of an element is mapped. */
export function inlined(inner: CompiledPipeline, outer: Outer, at: At, faults: Faults): Inlined {
  const { base, inputs } = outer;
  const moved = (source: Source): Source =>
    source.stage >= 0 ? { ...source, stage: source.stage + base } : (inputs.get(source.port)?.source ?? source);
  const stages: CompiledStage[] = [];
  /** Places, among the stages of the inner pipeline, of those that the outer map runs per element. */
  const perElement = new Set<number>();
  const isElement = (source: Source): boolean =>
    source.stage < 0 ? (outer.stage.map?.includes(source.port) ?? false) : perElement.has(source.stage);
  for (const [place, stage] of inner.stages.entries()) stages.push(placed(stage, place));
  const outputs = Object.entries(inner.outputs).flatMap(([port, source]): [string, Found][] => {
    const found = source.stage < 0 ? inputs.get(source.port) : givenBy(source);
    if (source.stage < 0 && outer.when)
      faults.add([...at, "when"], `cannot hold back ${port}, which ${inner.reference} gives as it takes it`);
    return found ? [[port, found]] : [];
  });
  return { stages, outputs: new Map(outputs) };

  function placed(stage: CompiledStage, place: number): CompiledStage {
    const ports = Object.entries(stage.in);
    const map = ports.filter(([, source]) => isElement(source)).map(([port]) => port);
    if (map.length > 0 && stage.map.length > 0)
      faults.add(
        [...at, "map"],
        `maps over ${inner.reference}, whose stage ${stage.name} maps itself; a map inside a map is too much for one pipeline`,
      );
    if (map.length > 0) perElement.add(place);
    const when = conditionOf(stage);
    const runsOnce = map.length === 0 && stage.map.length === 0;
    if (runsOnce && stage.when && isElement(stage.when.value))
      faults.add(
        [...at, "map"],
        `gives ${stage.name} of ${inner.reference} a condition on each element, and it takes none of them`,
      );
    const over = map.length > 0 ? outer.over : overOf(stage);
    return {
      ...inherited(stage, outer.stage),
      name: `${outer.name}/${stage.name}`,
      in: Object.fromEntries(ports.map(([port, source]) => [port, moved(source)])),
      map: map.length > 0 ? map : stage.map,
      ...(over && { over }),
      ...(when && { when }),
    };
  }

  /** The outer condition holds back every stage; one with a condition of its own only by what that looks at. */
  function conditionOf({ name, when }: CompiledStage): CompiledStage["when"] | undefined {
    if (!when) return outer.when;
    if (outer.when && when.value.stage < 0)
      faults.add(
        [...at, "when"],
        `meets the condition that ${name} of ${inner.reference} has on what comes from outside; put it on a stage of its own`,
      );
    return { ...when, value: moved(when.value) };
  }

  /** A list that the inner pipeline takes may be in step with another one outside. */
  function overOf({ over }: CompiledStage): Source | undefined {
    if (!over) return undefined;
    return over.stage < 0 ? (inputs.get(over.port)?.over ?? moved(over)) : moved(over);
  }

  function givenBy(source: Source): Found {
    const { gives, map, over } = stages[source.stage]!;
    const type = parseType(gives[source.port]);
    return { source: moved(source), type: map.length > 0 ? listOf(type) : type, ...(over && { over }) };
  }
}

/** What the outer stage says holds for those inside that say nothing of it. */
function inherited({ over: _over, when: _when, ...stage }: CompiledStage, outer: StageDefinition): CompiledStage {
  const { batch, on, deadlineMs, keep, onError } = outer;
  return {
    ...(batch !== undefined && { batch }),
    ...(on !== undefined && { on }),
    ...(deadlineMs !== undefined && { deadlineMs }),
    ...stage,
    ...(stage.keep === "auto" && keep !== undefined && { keep }),
    ...(stage.onError === "fail" && onError !== undefined && { onError }),
  };
}
