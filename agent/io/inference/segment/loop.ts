/** A stage that runs again and again with a state: the rounds of several items, or elements, side by side. */
import { refuse } from "../../../../shared/checks.ts";
import { SkeinError } from "../../../../shared/errors.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import type { Loop } from "../../../../shared/pipeline/definition.ts";
import { parseType } from "../../../../shared/pipeline/types.ts";
import { NONE, type Value } from "../../../../shared/pipeline/values.ts";
import { elementBytes } from "../../../../shared/tensor-data.ts";
import { elementsOf } from "../../../../shared/tensors.ts";
import type { Body, BodyEnd, BodyRun } from "./body.ts";

/** One loop on its way. */
interface Turning {
  run: BodyRun;
  rounds: number;
  /** By port taken. */
  state: Map<string, Value>;
  /** By port given. */
  last: Map<string, Value>;
  all: Map<string, Value[]>;
  ms: number;
  error?: Error;
}

/** @param wanted ports given that somebody takes */
export function looped(body: Body, loop: Loop, wanted: readonly string[]): Body {
  const carried = new Set(Object.values(loop.carry));
  const asked = new Set([...wanted, ...carried]);
  return {
    isOptional: (port) => body.isOptional(port),
    run: async (runs) => {
      const turning = runs.map((run) => begun(run, loop, asked, carried));
      for (let round = 0; ; round++) {
        const going = turning.filter(({ rounds, error }) => round < rounds && !error);
        if (going.length === 0) break;
        await turnOnce(body, loop, going, round);
      }
      return turning.map((one) => ended(one, loop, wanted, carried));
    },
  };
}

function begun(run: BodyRun, loop: Loop, asked: ReadonlySet<string>, carried: ReadonlySet<string>): Turning {
  const lists = [...asked].filter((port) => !carried.has(port)).map((port): [string, Value[]] => [port, []]);
  const turning: Turning = { run, rounds: 0, state: new Map(), last: new Map(), all: new Map(lists), ms: 0 };
  try {
    turning.rounds = roundsOf(run, loop);
    for (const port of Object.keys(loop.carry)) turning.state.set(port, firstOf(port, run, loop));
  } catch (error) {
    turning.error = error as Error;
  }
  return turning;
}

function roundsOf({ inputs }: BodyRun, { times, over }: Loop): number {
  const list = over === undefined ? undefined : inputs[over];
  if (over !== undefined && list?.kind !== "list") refuse(over, "must be a list: the loop runs over it");
  const rounds = Math.min(
    times ?? Number.POSITIVE_INFINITY,
    list?.kind === "list" ? list.elements.length : Number.POSITIVE_INFINITY,
  );
  if (!(rounds <= LIMITS.stageRoundsMax))
    refuse("its loop", `must have at most ${LIMITS.stageRoundsMax} rounds, not ${rounds}`);
  return rounds;
}

function firstOf(port: string, { inputs }: BodyRun, { first }: Loop): Value {
  const text = first?.[port];
  if (text === undefined) return inputs[port] ?? refuse(port, "must be given, for the loop to begin with");
  const type = parseType(text, port);
  if (
    type.kind !== "tensor" ||
    !type.shape ||
    elementsOf(type.shape) * elementBytes(type.datatype) > LIMITS.valuesBytesMax
  )
    refuse(port, `must begin as a tensor with every dimension given, and not as ${text}`);
  const bytes = new Uint8Array(elementsOf(type.shape) * elementBytes(type.datatype));
  return { kind: "tensor", datatype: type.datatype, shape: type.shape, bytes };
}

async function turnOnce(body: Body, { over, carry }: Loop, going: readonly Turning[], round: number): Promise<void> {
  const elements = going.map(({ run }) => (over === undefined ? undefined : elementAt(run.inputs[over]!, round)));
  // A round whose element is not there gives nothing, and leaves the state as it is.
  for (const [n, one] of going.entries())
    if (elements[n]?.kind === "none") for (const list of one.all.values()) list.push(NONE);
  const turned = going.flatMap((one, n) => (elements[n]?.kind === "none" ? [] : [{ one, element: elements[n] }]));
  const runs = turned.map(({ one: { run, state }, element }) => ({
    name: run.name,
    inputs: { ...run.inputs, ...Object.fromEntries(state), ...(over !== undefined && { [over]: element! }) },
  }));
  const ends = await body.run(runs);
  for (const [n, { one }] of turned.entries()) {
    const { end, ms } = ends[n]!;
    one.ms += ms;
    if (end instanceof Error) one.error = end;
    else step(one, end, carry);
  }
}

const elementAt = (list: Value, n: number): Value => (list.kind === "list" ? (list.elements[n] ?? NONE) : NONE);

function step(one: Turning, gives: Record<string, Value>, carry: Loop["carry"]): void {
  for (const [port, from] of Object.entries(carry)) {
    const value = gives[from] ?? NONE;
    if (value.kind === "none")
      one.error = new SkeinError("BAD_REQUEST", { reason: `${from} must be given, for the loop to carry it` });
    one.state.set(port, value);
    one.last.set(from, value);
  }
  for (const [port, list] of one.all) list.push(gives[port] ?? NONE);
}

/** What is carried gives its last value, or what it began with; all else a list of what each round gave. */
function ended(
  { error, ms, state, last, all }: Turning,
  { carry }: Loop,
  wanted: readonly string[],
  carried: ReadonlySet<string>,
): BodyEnd {
  if (error) return { end: error, ms };
  const beginning = (port: string): Value => {
    const [taken] = Object.entries(carry).find(([, from]) => from === port)!;
    return state.get(taken)!;
  };
  const gives = wanted.map((port): [string, Value] => [
    port,
    carried.has(port) ? (last.get(port) ?? beginning(port)) : { kind: "list", elements: all.get(port)! },
  ]);
  return { end: Object.fromEntries(gives), ms };
}
