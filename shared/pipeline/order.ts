import type { PipelineDefinition, StageDefinition } from "./definition.ts";
import type { Faults } from "./faults.ts";

/** `words.ids` is a stage and its port, `ticket` an input. A port may have dots in its name. */
export function readReference(text: string): { stage?: string; port: string } {
  const dot = text.indexOf(".");
  return dot < 0 ? { port: text } : { stage: text.slice(0, dot), port: text.slice(dot + 1) };
}

const referencesOf = ({ in: taken = {}, when }: StageDefinition): string[] => [
  ...Object.values(taken),
  ...(when ? [when.value] : []),
];

/**
 * Names of the stages so that none takes from one behind it; as they were written, where that goes. Those in a circle come
 * last: what they give cannot be told.
 */
export function orderOf({ stages }: PipelineDefinition, faults: Faults): string[] {
  const before = new Map(Object.entries(stages).map(([name, stage]) => [name, takenFrom(stage, stages)]));
  const order: string[] = [];
  const left = new Set(before.keys());
  const isReady = (name: string): boolean => before.get(name)!.every((one) => !left.has(one));
  for (let next = firstOf(left, isReady); next !== undefined; next = firstOf(left, isReady)) {
    order.push(next);
    left.delete(next);
  }
  for (const circle of circlesIn(left, before))
    faults.add(
      ["stages", circle[0]!],
      `takes from itself in the end: ${[...circle, circle[0]!].join(" takes from ")}; stages that go round are a loop of one stage`,
    );
  return [...order, ...left];
}

function takenFrom(stage: StageDefinition, stages: Record<string, StageDefinition>): string[] {
  const names = referencesOf(stage).map((reference) => readReference(reference).stage);
  return [...new Set(names)].filter((name) => name !== undefined && Object.hasOwn(stages, name)) as string[];
}

function firstOf(names: ReadonlySet<string>, fits: (name: string) => boolean): string | undefined {
  for (const name of names) if (fits(name)) return name;
  return undefined;
}

/** Each of them waits for another of them, so whoever follows that comes round; a circle is told once. */
function circlesIn(left: ReadonlySet<string>, before: ReadonlyMap<string, readonly string[]>): string[][] {
  const seen = new Set<string>();
  const circles: string[][] = [];
  for (const start of left) {
    const path: string[] = [];
    for (let name: string | undefined = start; name !== undefined; ) {
      const at = path.indexOf(name);
      if (at >= 0) circles.push(path.slice(at));
      if (at >= 0 || seen.has(name)) break;
      seen.add(name);
      path.push(name);
      name = before.get(name)!.find((one) => left.has(one));
    }
  }
  return circles;
}
