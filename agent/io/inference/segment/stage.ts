/** One stage over the items of a group: what can run runs, what fails goes by the stage's on-error rule. */
import { INPUT_FAULTS, SkeinError } from "../../../../shared/errors.ts";
import { sourceKey } from "../../../../shared/pipeline/segment.ts";
import { checkValue } from "../../../../shared/pipeline/value-check.ts";
import { NONE, type Value, valueBytes } from "../../../../shared/pipeline/values.ts";
import type { Body, BodyEnd } from "./body.ts";
import type { SegmentItem } from "./item.ts";
import type { StagePlan } from "./plan.ts";
import { type Places, placesOf, type Unit } from "./units.ts";

/** Of a message that goes into an output: it stays a line. */
const messageCharsMax = 300;

/** Items that fail are told so by their `error`, and the others go on. */
export async function runStage(plan: StagePlan, body: Body, items: readonly SegmentItem[]): Promise<void> {
  const begun = items.flatMap((item): { item: SegmentItem; places: Places }[] => {
    try {
      return [{ item, places: placesOf(plan, item, (port) => body.isOptional(port)) }];
    } catch (error) {
      item.error = failure(plan, item, undefined, error);
      return [];
    }
  });
  const units = begun.flatMap(({ places }) => places.units.filter((one) => one !== "none"));
  await runUnits(plan, body, units);
  for (const { item, places } of begun) finish(plan, item, places);
}

async function runUnits({ stage }: StagePlan, body: Body, units: readonly Unit[]): Promise<void> {
  const fit = units.filter(({ end }) => !end);
  if (fit.length === 0) return;
  const runs = fit.map((unit) => ({ name: unit.item.name, inputs: unit.inputs }));
  const { deadlineMs } = stage;
  const running = body.run(runs);
  const ends = deadlineMs === undefined ? await running : await within(running, deadlineMs * fit.length);
  for (const [n, unit] of fit.entries()) {
    const { end, ms } = ends?.[n] ?? { end: late(stage.name, deadlineMs!), ms: deadlineMs! };
    unit.end = deadlineMs !== undefined && ms > deadlineMs ? late(stage.name, deadlineMs) : end;
    unit.ms = ms;
  }
}

const late = (stage: string, deadlineMs: number): SkeinError =>
  new SkeinError("DEADLINE_EXCEEDED", { what: `The stage ${stage}`, deadlineMs });

/**
 * Undefined when they take longer than all of them together may: one awaits what never comes. What never comes back to the
 * event loop is ended with its executor, when the deadline of the task is over.
 */
async function within(running: Promise<BodyEnd[]>, deadlineMs: number): Promise<BodyEnd[] | undefined> {
  let timer: NodeJS.Timeout | undefined;
  // Nobody hears of it any more once its time is over.
  running.catch(() => {});
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), deadlineMs);
  });
  try {
    return await Promise.race([running, over]);
  } finally {
    clearTimeout(timer);
  }
}

/** Its outputs stand where later stages look for them. */
function finish(plan: StagePlan, item: SegmentItem, { units, isList }: Places): void {
  const ports = [...plan.gives.keys()];
  const lists = new Map(ports.map((port): [string, Value[]] => [port, []]));
  let [runs, ms, outputBytes] = [0, 0, 0];
  for (const unit of units) {
    const given = unit === "none" ? {} : settled(plan, item, unit);
    if (!given) return;
    if (unit !== "none") {
      runs++;
      ms += unit.ms;
    }
    for (const port of ports) {
      const value = given[port] ?? NONE;
      outputBytes += valueBytes(value);
      lists.get(port)!.push(value);
    }
  }
  for (const [port, elements] of lists) {
    const key = sourceKey({ stage: plan.place, port });
    item.values.set(key, isList ? { kind: "list", elements } : elements[0]!);
  }
  item.stages.push({ stage: plan.place, runs, ms, outputBytes });
}

/** What it gives, by its rule if it failed; undefined where that ends the item. */
function settled(plan: StagePlan, item: SegmentItem, unit: Unit): Record<string, Value> | undefined {
  const end = checked(plan, unit);
  if (!(end instanceof Error)) return end;
  const { onError, name } = plan.stage;
  const element = unit.element === undefined ? undefined : unit.element + firstElement(plan, item);
  const error = failure(plan, item, element, end);
  if (onError === "fail" || !isOfInput(error)) {
    item.error = error;
    return undefined;
  }
  const known = SkeinError.from(end);
  // As the failure is called that it would have been.
  const code = known.code === "BAD_REQUEST" ? "INPUT_INVALID" : known.code;
  const message = oneLine(reasonOf(known));
  item.skipped.add({ stage: name, ...(element !== undefined && { element }), error: { code, message } });
  if (onError === "skip") return {};
  return Object.fromEntries(Object.entries(onError.default).map(([port, json]) => [port, { kind: "json", json }]));
}

const firstElement = ({ stage }: StagePlan, { first }: SegmentItem): number =>
  stage.over ? (first.get(sourceKey(stage.over)) ?? 0) : 0;

/** What no later stage would understand is its own failure, and not theirs. */
function checked({ gives }: StagePlan, { end }: Unit): Record<string, Value> | Error {
  if (end instanceof Error) return end;
  try {
    for (const [port, type] of gives) {
      const value = end![port];
      if (value && value.kind !== "none") checkValue(value, type, `its output ${port}`);
    }
    return end!;
  } catch (error) {
    return error as Error;
  }
}

/** A box without the memory for it, or without the model, says nothing of the item: it is tried on another one. */
const isOfInput = ({ code }: SkeinError): boolean => INPUT_FAULTS.includes(code) || code === "DEADLINE_EXCEEDED";

/** With the stage, and its element, in the sentence and in the facts. */
function failure({ stage }: StagePlan, item: SegmentItem, element: number | undefined, error: unknown): SkeinError {
  const known = SkeinError.from(error);
  const place = { stage: stage.name, ...(element !== undefined && { element }) };
  const where = `in its stage ${stage.name}${element === undefined ? "" : `, element ${element}`}`;
  const { name } = item;
  if (known.code === "DEADLINE_EXCEEDED")
    return new SkeinError(known.code, { ...known.facts, what: `Work on ${name}, ${where},`, name, ...place });
  const isFault = INPUT_FAULTS.includes(known.code) || known.code === "BAD_REQUEST";
  if (!isFault)
    return new SkeinError(known.code, { ...known.facts, name, ...place, reason: `${where}: ${known.facts.reason}` });
  const reason = `${where}: ${oneLine(reasonOf(known)).replace(/\.$/, "")}`;
  return new SkeinError("INPUT_INVALID", { name, pipeline: item.pipeline, reason, ...place }, { cause: known });
}

/** Of what names an input that nobody outside of the pipeline has seen, the reason alone. */
function reasonOf({ code, facts, message }: SkeinError): string {
  const isBare = (code === "BAD_REQUEST" || code === "INPUT_INVALID") && typeof facts.reason === "string";
  return isBare ? (facts.reason as string) : message;
}

const oneLine = (text: string): string => text.replace(/\p{Cc}+/gu, " ").slice(0, messageCharsMax);
