/** `skein tune MODEL`: how a model is best run on this box, and what was gained. */
import { setTimeout as sleep } from "node:timers/promises";
import { refuse } from "../../shared/checks.ts";
import { SkeinError } from "../../shared/errors.ts";
import { TIMING } from "../../shared/limits.ts";
import type { SessionChoice } from "../../shared/session-choice.ts";
import {
  gainOver,
  type TuneRequest,
  type TuningResult,
  type TuningRung,
  type TuningTrial,
  type TuningView,
} from "../../shared/tuning.ts";
import { print } from "./calls.ts";
import { type CommonOptions, clientFor, wholeNumber } from "./options.ts";
import type { SteadyClient } from "./steady-client.ts";
import { bytes, duration, plain, plural, table } from "./table.ts";
import type { World } from "./world.ts";

export interface TuneOptions extends CommonOptions {
  seconds?: string;
  tolerance?: string;
}

const POLL_MS = 500;
/** The agent answers between two trials as at any time; it may be busy. */
const PATIENCE = { patienceMs: 10_000 };

export async function tune(model: string, options: TuneOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const begun = await client.call((one) => one.tuneStart(model, requestOf(options)));
  if (!options.json)
    world.err(`Trying how ${plain(begun.model)} is best run here, for about ${begun.seconds} s of trials.\n`);
  const view = await untilEnded(client, begun.model, options.json ? () => {} : (text) => world.err(text));
  if (view.state === "failed") throw new SkeinError("TUNING_FAILED", { model: view.model, reason: view.reason ?? "" });
  return print(options, world, view, describeResult(view.result!));
}

/** @throws BAD_REQUEST */
function requestOf({ seconds, tolerance }: TuneOptions): TuneRequest {
  const part = Number(tolerance ?? 0);
  if (!(part >= 0 && part <= 1)) refuse("--tolerance", `must be from 0 to 1, not ${JSON.stringify(tolerance)}`);
  const { tuneSecondsMin, tuneSecondsMax } = TIMING;
  return {
    ...(seconds !== undefined && { seconds: wholeNumber(seconds, "--seconds", tuneSecondsMin, tuneSecondsMax) }),
    ...(tolerance !== undefined && { tolerance: part }),
  };
}

/** Tells each rung once it is whole, and once each time that real work goes first. */
async function untilEnded(client: SteadyClient, model: string, say: (text: string) => void): Promise<TuningView> {
  let told = 0;
  let wasWaiting = false;
  for (;;) {
    const view = await client.call((one) => one.tune(model), PATIENCE);
    const isOver = view.state === "ended" || view.state === "failed";
    const whole = isOver ? view.rungs : view.rungs.slice(0, -1);
    for (const rung of whole.slice(told)) say(rungText(rung));
    told = whole.length;
    if (isOver) return view;
    if (view.state === "waiting" && !wasWaiting) say("  real work goes first; the search waits\n");
    wasWaiting = view.state === "waiting";
    await sleep(POLL_MS);
  }
}

/** One line for a rung, and one for each choice whose outputs were other ones. */
export function rungText({ stage, runMs, trials, kept, untried }: TuningRung): string {
  const measured = trials.filter(({ itemsPerSecond, out }) => itemsPerSecond !== undefined && out === undefined);
  const best = measured.toSorted((a, b) => b.itemsPerSecond! - a.itemsPerSecond!)[0];
  const out = trials.length - measured.length;
  const parts = [
    `${plural(trials.length, "choice")} for ${duration(runMs)} each`,
    ...(out > 0 ? [`${out} out`] : []),
    ...(untried > 0 ? [`${untried} not tried for lack of time`] : []),
    `${kept} kept`,
  ];
  const head = `  ${stage.padEnd(9)} ${parts.join(", ")}`;
  const lead = best ? `; best: ${perSecond(best)}, ${choiceText(best.choice)}` : "";
  const others = trials.filter(({ difference, out: because }) => because !== undefined && difference !== undefined);
  return `${head}${lead}\n${others.map(({ choice, out: because }) => `            out: ${choiceText(choice)}: ${plain(because!)}\n`).join("")}`;
}

/** `2 executors x 1 thread, batch 8, layout, int8`: what is not as usual is named. */
export function choiceText({
  executors,
  threads,
  batch,
  graphLevel,
  memoryPattern,
  spinning,
  variant,
}: SessionChoice): string {
  const parts = [
    `${plural(executors, "executor")} x ${plural(threads, "thread")}`,
    `batch ${batch}`,
    ...(graphLevel === "all" ? [] : [`level ${graphLevel}`]),
    ...(memoryPattern ? ["memory pattern"] : []),
    ...(spinning ? ["spinning"] : []),
    ...(variant === "int8" ? ["int8"] : []),
  ];
  return parts.join(", ");
}

const perSecond = ({ itemsPerSecond }: Pick<TuningTrial, "itemsPerSecond">): string =>
  itemsPerSecond === undefined ? "-" : `${Number(itemsPerSecond.toPrecision(3))} items/s`;

export function describeResult(result: TuningResult): string {
  const { choice, itemsPerSecond, before, defaults, adopted } = result;
  const memory = ({ memoryPeakBytes, memorySettledBytes, choice: { executors } }: TuningTrial): string[] =>
    memorySettledBytes === undefined
      ? ["-", "-"]
      : [bytes(memorySettledBytes * executors), bytes((memoryPeakBytes ?? 0) * executors)];
  const row = (what: string, trial: TuningTrial): string[] => [
    what,
    perSecond(trial),
    ...memory(trial),
    trial.out ?? choiceText(trial.choice),
  ];
  const found: TuningTrial = { ...result.found, choice, itemsPerSecond };
  const rows = [row("found", found), row("used before", before), row("onnxruntime's defaults", defaults)];
  const gain = (against: "before" | "defaults"): string => {
    const times = gainOver(result, against);
    return times === undefined ? "unknown" : `${times.toFixed(2)} times`;
  };
  const text = `Gain over onnxruntime's defaults: ${gain("defaults")}; over what was used before: ${gain("before")}.`;
  const verdict = adopted ? "It is used from now on." : "Too little: what was used before stays.";
  return `${table(["", "SPEED", "MEMORY", "PEAK", "CHOICE"], rows, ["SPEED", "MEMORY", "PEAK"])}\n${text}\n${verdict}\n`;
}
