/** A stage's runs: one for an item, or one for each element of the lists that it runs over. */
import { refuse } from "../../../../shared/checks.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import type { CompiledStage, Source } from "../../../../shared/pipeline/compiled.ts";
import { sourceKey } from "../../../../shared/pipeline/segment.ts";
import { NONE, type Value } from "../../../../shared/pipeline/values.ts";
import { holds } from "./condition.ts";
import type { SegmentItem } from "./item.ts";
import type { StagePlan } from "./plan.ts";

/** What one run gives, by port; or why it gives nothing. */
export type UnitEnd = Record<string, Value> | Error;

export interface Unit {
  readonly item: SegmentItem;
  /** Place in the lists here. Absent: the stage runs once for the item. */
  readonly element?: number;
  /** By port; what is not there, and need not be, is left out. */
  readonly inputs: Record<string, Value>;
  end?: UnitEnd;
  /** Its own, or its share where several ran at once. */
  ms: number;
}

/** A unit that is not run because something that it needs is not there, or its condition does not hold. */
type Place = Unit | "none";

/** Undefined where there is no list. */
export type Places = { units: Place[]; isList: boolean };

/**
 * In the order of the elements. A list that is not there counts as one of no elements: whoever cuts the pipeline there has
 * no element to hand on either.
 * @param isOptional ports that it runs without
 * @throws BAD_REQUEST for lists of different lengths, and too many elements
 */
export function placesOf(plan: StagePlan, item: SegmentItem, isOptional: (port: string) => boolean): Places {
  const { stage, isMapped } = plan;
  if (!isMapped) return { units: [unitAt(plan, item, undefined, isOptional)], isList: false };
  const length = lengthOf(stage, item);
  return { units: Array.from({ length }, (_, n) => unitAt(plan, item, n, isOptional)), isList: true };
}

function lengthOf(stage: CompiledStage, item: SegmentItem): number {
  const lengths = stage.map.map((port) => elementsOf(takenFrom(item, stage.in[port]!), port).length);
  const [first] = lengths as [number];
  if (lengths.some((one) => one !== first))
    refuse(
      stage.map.join(", "),
      `must be lists of one length, and have ${lengths.join(", ")} elements: what runs over them takes one of each`,
    );
  if (first > LIMITS.fanOutMax)
    refuse(stage.map.join(", "), `must have at most ${LIMITS.fanOutMax} elements, not ${first}`);
  return first;
}

function elementsOf(value: Value, port: string): Value[] {
  if (value.kind === "none") return [];
  return value.kind === "list" ? value.elements : refuse(port, "must be a list: the stage runs over it");
}

const takenFrom = ({ values }: SegmentItem, source: Source): Value => values.get(sourceKey(source)) ?? NONE;

function unitAt(
  { stage }: StagePlan,
  item: SegmentItem,
  element: number | undefined,
  isOptional: (port: string) => boolean,
): Place {
  const at = (source: Source, isEach: boolean): Value => {
    const value = takenFrom(item, source);
    return element !== undefined && isEach && value.kind === "list" ? (value.elements[element] ?? NONE) : value;
  };
  const { when } = stage;
  const unit: Unit = { item, ...(element !== undefined && { element }), inputs: {}, ms: 0 };
  try {
    // In a stage that maps, a list is looked at element by element.
    if (when && !holds(when, at(when.value, true))) return "none";
  } catch (error) {
    unit.end = error as Error;
    return unit;
  }
  for (const [port, source] of Object.entries(stage.in)) {
    const value = at(source, stage.map.includes(port));
    if (value.kind !== "none") unit.inputs[port] = value;
    else if (!isOptional(port)) return "none";
  }
  return unit;
}
