/** What a stage may say of how it runs: maps, conditions, loops, defaults, what is sent with less precision. */
import type { CompiledStage, Source } from "./compiled.ts";
import type { Condition, Json, StageDefinition } from "./definition.ts";
import { type At, type Faults, quoted } from "./faults.ts";
import type { Found } from "./found.ts";
import { checkJsonOf } from "./parameters.ts";
import { sourceKey } from "./segment.ts";
import type { GivenPorts, TakenPort, TakenPorts } from "./stage-ports.ts";
import { elementOf, fits, listOf, type PortType, parseType, typeText } from "./types.ts";

/** What each port is given; undefined where it cannot be told. */
export type Taken = ReadonlyMap<string, { reference: string; found: Found | undefined }>;

/** The list whose elements its own are in step with, by preference one that other stages run over already. */
export function checkMap(map: readonly string[], taken: Taken, at: At, faults: Faults): Source | undefined {
  const lists = map.flatMap((port, i): Found[] => {
    const below = [...at, "map", i];
    if (map.indexOf(port) < i) faults.add(below, `names ${quoted(port)} twice`);
    if (!taken.has(port))
      faults.unknown(below, `names ${quoted(port)}, which is not under in`, port, [...taken.keys()]);
    const { reference, found } = taken.get(port) ?? {};
    if (!found) return [];
    if (found.type.kind === "list") return [found];
    faults.add(below, `maps over ${port}, and ${reference} is no list but ${typeText(found.type)}`);
    return [];
  });
  return lists.find(({ over }) => over)?.over ?? lists[0]?.source;
}

/** What one run is given: an element where it runs over a list. Undefined: it is no list, which was said. */
const perRun = (type: PortType, isMapped: boolean): PortType | undefined => (isMapped ? elementOf(type) : type);

/** Ports that are not known, not given, or given something else. What is given to one run comes back by port. */
export function checkTaken(
  stage: StageDefinition,
  takes: TakenPorts,
  taken: Taken,
  at: At,
  faults: Faults,
): Map<string, PortType> {
  const begunWith = Object.keys(stage.loop?.first ?? {});
  for (const [port, { type, optional }] of takes)
    if (!optional && !taken.has(port) && !begunWith.includes(port))
      faults.add([...at, "in"], `must say where ${port} comes from, which takes ${typeText(type)}`);
  const given = new Map<string, PortType>();
  for (const [port, { reference, found }] of taken) {
    const below = [...at, "in", port];
    const wanted = takes.get(port);
    if (!wanted) faults.unknown(below, "is nothing that it takes", port, [...takes.keys()]);
    if (!wanted || !found) continue;
    const isMapped = stage.map?.includes(port) ?? false;
    const type = perRun(found.type, isMapped);
    if (!type) continue;
    const isLooped = stage.loop?.over === port;
    const asked = isLooped ? listOf(wanted.type) : wanted.type;
    if (!fits(type, asked)) faults.add(below, mismatch(port, asked, type, { reference, isMapped, isLooped }));
    given.set(port, type);
  }
  return given;
}

interface HowTaken {
  reference: string;
  isMapped: boolean;
  isLooped: boolean;
}

function mismatch(
  port: string,
  wanted: PortType,
  given: PortType,
  { reference, isMapped, isLooped }: HowTaken,
): string {
  const each = isMapped ? "each element of " : "";
  const said = `takes ${typeText(wanted)}, and ${each}${reference} is ${typeText(given)}`;
  const element = elementOf(given);
  return element && !isMapped && !isLooped && fits(element, wanted)
    ? `${said}; map: [${port}] takes one element at a time`
    : said;
}

/** In a stage that maps, a list that is in step with its own is looked at element by element. */
export function checkWhen(
  when: NonNullable<StageDefinition["when"]>,
  found: Found | undefined,
  stage: { isMapped: boolean; over: Source | undefined },
  at: At,
  faults: Faults,
): CompiledStage["when"] {
  if (!found) return undefined;
  const { value: reference, ...comparison } = when;
  const below = [...at, "when", "value"];
  const isList = found.type.kind === "list";
  if (isList && !stage.isMapped)
    faults.add(below, `is the list ${reference}, and the stage runs once; map over it, or take one value out of it`);
  const root = found.over ?? found.source;
  if (isList && stage.over && sourceKey(root) !== sourceKey(stage.over))
    faults.add(below, `is the list ${reference}, whose elements are not in step with those that the stage maps over`);
  const type = isList ? elementOf(found.type)! : found.type;
  const wanted = kindOf(comparison);
  if (wanted && ![wanted, "json", "any"].includes(type.kind))
    faults.add(below, `is compared with a ${wanted}, and ${reference} is ${typeText(type)}`);
  return { value: found.source, ...comparison };
}

/** Undefined if it is compared with nothing, which was said. */
function kindOf({ below, above, is, isNot }: Omit<Condition, "value">): string | undefined {
  const kind = typeof (below ?? above ?? is ?? isNot);
  return kind === "undefined" ? undefined : kind === "string" ? "text" : kind;
}

/** What a loop carries must fit where it goes; what it gives is a list but for what it carries. */
export function checkLoop(
  loop: NonNullable<StageDefinition["loop"]>,
  takes: TakenPorts,
  gives: GivenPorts,
  taken: Taken,
  at: At,
  faults: Faults,
): GivenPorts {
  const below = [...at, "loop"];
  if (loop.over !== undefined && !taken.has(loop.over))
    faults.unknown([...below, "over"], `names ${quoted(loop.over)}, which is not under in`, loop.over, [
      ...taken.keys(),
    ]);
  for (const [to, from] of Object.entries(loop.carry)) {
    const [wanted, given] = [takes.get(to), gives.get(from)];
    if (!wanted) faults.unknown([...below, "carry", to], "is nothing that it takes", to, [...takes.keys()]);
    if (!given)
      faults.unknown([...below, "carry", to], `carries ${quoted(from)}, which it does not give`, from, [
        ...gives.keys(),
      ]);
    if (to === loop.over)
      faults.add([...below, "carry", to], "is what the loop runs over, so it cannot be carried as well");
    if (wanted && given && !fits(given, wanted.type))
      faults.add([...below, "carry", to], `takes ${typeText(wanted.type)}, and ${from} is ${typeText(given)}`);
  }
  for (const [port, text] of Object.entries(loop.first ?? {}))
    checkFirst(loop, port, text, takes, taken, below, faults);
  const carried = new Set(Object.values(loop.carry));
  return new Map([...gives].map(([port, type]) => [port, carried.has(port) ? type : listOf(type)]));
}

function checkFirst(
  loop: NonNullable<StageDefinition["loop"]>,
  port: string,
  text: string,
  takes: ReadonlyMap<string, TakenPort>,
  taken: Taken,
  at: At,
  faults: Faults,
): void {
  const below = [...at, "first", port];
  const type = parseType(text);
  if (!Object.hasOwn(loop.carry, port)) faults.unknown(below, "is not carried", port, Object.keys(loop.carry));
  if (taken.has(port)) faults.add(below, "is under in too; only one of them can say what it begins with");
  if (type.kind !== "tensor" || !type.shape || type.shape.includes(-1))
    faults.add(below, `must be a tensor with every dimension given, as FP32[1,64], not ${typeText(type)}`);
  const wanted = takes.get(port)?.type;
  if (wanted && !fits(type, wanted)) faults.add(below, `takes ${typeText(wanted)}, and begins with ${typeText(type)}`);
}

/** Defaults that could not be what the port gives. */
export function checkDefaults(defaults: Record<string, Json>, gives: GivenPorts, at: At, faults: Faults): void {
  for (const [port, value] of Object.entries(defaults)) {
    const below = [...at, "onError", "default", port];
    const type = gives.get(port);
    if (!type) faults.unknown(below, "is nothing that it gives", port, [...gives.keys()]);
    else faults.attempt(below, () => checkJsonOf(type.kind, value));
  }
}

/** Only numbers with a fraction have precision to lose. */
export function checkSend(send: Record<string, string>, gives: GivenPorts, at: At, faults: Faults): void {
  for (const [port, as] of Object.entries(send)) {
    const below = [...at, "send", port];
    const type = gives.get(port);
    const sent = type && (elementOf(type) ?? type);
    if (!type) faults.unknown(below, "is nothing that it gives", port, [...gives.keys()]);
    else if (sent?.kind !== "tensor" || !["FP32", "FP64"].includes(sent.datatype))
      faults.add(below, `can be sent as ${as} only if it is an FP32 or FP64 tensor, and it is ${typeText(type)}`);
  }
}
