import type { PlacementDecision } from "../../shared/decision.ts";
import type { Question } from "../core/planner/index.ts";
import { decisionFrom } from "./placement-view.ts";

/** A change of the demand that is worth a thought. */
export const DEMAND_CHANGE = 1.2;
/** And of a box's memory. */
const MEMORY_CHANGE = 256e6;

/** Of a question whose figures moved a little it is the same. */
export function keyOfQuestion({
  request,
  models,
  nodes,
  rate,
  memory,
  stands,
  pinned,
  min,
  max,
  whyNot,
  moveSeconds,
}: Question): string {
  const coarse = (value: number): string => value.toPrecision(1);
  return JSON.stringify([
    models.map(({ pipeline, demandPerSecond }) => [
      pipeline,
      Math.round(Math.log(demandPerSecond) / Math.log(DEMAND_CHANGE)),
    ]),
    nodes.map(({ nodeId }) => nodeId),
    Array.from(rate, coarse),
    Array.from(memory, (bytes) => Math.round(bytes / MEMORY_CHANGE)),
    Array.from(moveSeconds, coarse),
    [...stands].join(""),
    [...pinned].join(""),
    [...whyNot.keys()],
    min,
    max,
    request.together,
  ]);
}

/** Other places, other reasons, or the solver's word on what only the greedy rule had said. */
export function saysMore(
  decision: PlacementDecision,
  replicas: PlacementDecision["replicas"],
  lastJson: string,
): boolean {
  const placesOf = (all: PlacementDecision["replicas"]): string =>
    all
      .map(({ pipeline, nodes }) => `${pipeline} ${[...nodes].sort().join(" ")}`)
      .sort()
      .join("\n");
  if (placesOf(decision.replicas) !== placesOf(replicas)) return true;
  const last = decisionFrom(lastJson);
  const isProved = decision.boundBy === "solver" && last?.boundBy !== "solver";
  // The reasons tell figures that are others every time; whom they are about says enough.
  const shortOf = (one: PlacementDecision | undefined): string =>
    (one?.short ?? []).map(({ pipeline }) => pipeline).join();
  return isProved || shortOf(decision) !== shortOf(last);
}
