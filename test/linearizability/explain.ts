/** A history that is not linearizable, for a person: the smallest key that fails, and no more of it than it takes. */
import { checkKey, type KeyVerdict } from "./check.ts";
import type { Operation } from "./history.ts";

/** Lines drawn; the last ones tell most. */
const LINES_MAX = 60;

export function explain(verdicts: readonly KeyVerdict[]): string {
  const failing = verdicts.filter(({ verdict }) => verdict === "not linearizable");
  const { key, operations } = failing.reduce((a, b) => (b.operations.length < a.operations.length ? b : a));
  const failsBy = firstFailure(operations);
  const before = checkKey(key, upTo(operations, failsBy - 1)).order.map(({ startsAt }) => startsAt);
  const concerned = operations.filter(({ startsAt }) => startsAt <= failsBy).sort((a, b) => a.startsAt - b.startsAt);
  const lines = concerned.map((one) => lineOf(one, failsBy, before.indexOf(one.startsAt) + 1));
  const cut = Math.max(0, lines.length - LINES_MAX);
  return [
    `key ${JSON.stringify(key)} is not linearizable; it is the smallest of ${failing.length} that are not, of ${verdicts.length}.`,
    `No order of its ${concerned.length} operations up to event ${failsBy} explains what was read. An order that explains all before is numbered:`,
    ...(cut > 0 ? [`  (${cut} earlier ones left out)`] : []),
    ...lines.slice(cut),
  ].join("\n");
}

function lineOf(operation: Operation, failsBy: number, place: number): string {
  const { process, verb, value, startsAt, endsAt } = operation;
  const ends = endsAt <= failsBy ? `${endsAt}` : "open";
  const order = endsAt === failsBy ? "fits nowhere" : place > 0 ? `${place}.` : "";
  const said = verb === "get" ? `get -> ${shown(value)}` : `${verb} ${shown(value)}`;
  return `  events ${`${startsAt}`.padStart(6)} to ${ends.padStart(6)}  process ${process.padEnd(8)} ${order.padStart(12)}  ${said}`;
}

const shown = (text: string): string =>
  JSON.stringify(text.length > 60 ? `${text.slice(0, 28)} ... ${text.slice(-28)}` : text);

/** The event by which the history is past saving: what is not linearizable at one point stays so. */
function firstFailure(operations: readonly Operation[]): number {
  const ends = operations
    .map(({ endsAt }) => endsAt)
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  let [low, high] = [0, ends.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (checkKey("", upTo(operations, ends[middle]!)).verdict === "not linearizable") high = middle;
    else low = middle + 1;
  }
  return ends[low]!;
}

/** What was known by then: a write under way may still come to anything, and a read under way says nothing. */
const upTo = (operations: readonly Operation[], event: number): Operation[] =>
  operations.flatMap((one) => {
    if (one.endsAt <= event) return [one];
    return one.startsAt > event || one.verb === "get" ? [] : [{ ...one, endsAt: Number.POSITIVE_INFINITY }];
  });
