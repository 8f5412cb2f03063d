/** `skein rule` and `skein placement`: what people ask of the planner, and where models stand by it. */
import { refuse } from "../../shared/checks.ts";
import type { PlacedModel, PlacementView } from "../../shared/placement.ts";
import { checkRule, type Rule, type RuleView } from "../../shared/rules.ts";
import { print } from "./calls.ts";
import { type CommonOptions, clientFor } from "./options.ts";
import { bytes, duration, plain, plural, table } from "./table.ts";
import type { World } from "./world.ts";

export async function ruleAdd(words: string[], options: CommonOptions, world: World): Promise<number> {
  const rule = readRule(words);
  const client = await clientFor(options, world);
  const view = await client.call((one) => one.ruleAdd({ rule }));
  return print(options, world, view, `${plain(view.ruleId)}: ${plain(view.text)}. ${meaning(view)}\n`);
}

export async function ruleList(options: CommonOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const rules = await client.call((one) => one.rules());
  const rows = rules.map((view) => [view.ruleId, view.text, meaning(view)]);
  const text = rules.length === 0 ? "There are no rules.\n" : table(["RULE", "ASKS", "MEANS NOW"], rows);
  return print(options, world, rules, text);
}

export async function ruleRemove(ruleId: string, options: CommonOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const view = await client.call((one) => one.ruleRemove(ruleId));
  return print(options, world, view, `${plain(view.ruleId)} (${plain(view.text)}) is taken back.\n`);
}

function meaning({ nodes, models }: RuleView): string {
  const told = [models && (models.join(", ") || "no model yet"), nodes && (nodes.join(", ") || "no box yet")];
  return told.filter((one) => one !== undefined).join(" on ");
}

const UNIT_BYTES: Record<string, number> = { kb: 1e3, mb: 1e6, gb: 1e9 };

/** The words behind `skein rule add`. @throws BAD_REQUEST */
export function readRule(words: readonly string[]): Rule {
  const [kind = "", first = "", second = "", ...more] = words;
  if (second === "" || more.length > 0) refuse("a rule", `has three words, as "pin resnet pi5", not ${words.length}`);
  switch (kind) {
    case "pin":
    case "only":
    case "forbid":
      return checkRule({ kind, model: first, on: second });
    case "replicas": {
      const [, min, max] = matched(/^(\d+)(?:-(\d+))?$/, second, "a number of boxes, as 2 or 2-3");
      return checkRule({ kind, model: first, min: Number(min), ...(max !== undefined && { max: Number(max) }) });
    }
    case "reserve": {
      const [, size, unit] = matched(/^(\d+(?:\.\d+)?)(kb|mb|gb)$/i, second, "a size, as 500MB or 2GB");
      return checkRule({ kind, on: first, bytes: Math.round(Number(size) * UNIT_BYTES[unit!.toLowerCase()]!) });
    }
    case "quiet": {
      const [, from, to] = matched(/^(\d\d:\d\d)-(\d\d:\d\d)$/, second, "two times of day, as 22:00-07:00");
      return checkRule({ kind, on: first, from, to });
    }
    case "battery": {
      const [, percent] = matched(/^(\d+(?:\.\d+)?)%?$/, second, "a share, as 40%");
      return checkRule({ kind, on: first, percent: Number(percent) });
    }
    case "heat": {
      const [, celsius] = matched(/^(\d+(?:\.\d+)?)(?:°?C)?$/i, second, "degrees, as 75C");
      return checkRule({ kind, on: first, celsius: Number(celsius) });
    }
    default:
      return refuse(
        "a rule",
        `begins with pin, only, forbid, replicas, reserve, quiet, battery or heat, not "${plain(kind)}"`,
      );
  }
}

function matched(pattern: RegExp, word: string, what: string): RegExpExecArray {
  return pattern.exec(word) ?? refuse("the rule's last word", `must be ${what}, not "${plain(word)}"`);
}

export async function placement(options: CommonOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const view = await client.call((one) => one.placement());
  return print(options, world, view, describePlacement(view, Date.now()));
}

/** Models down, boxes across. */
export function describePlacement({ decision, models }: PlacementView, nowMs: number): string {
  if (models.length === 0) return "There are no models. `skein model add` adds one.\n";
  const boxes = [...new Set(models.flatMap(({ nodes }) => nodes.map(({ name }) => name)))].sort();
  const rows = models.map((model) => [
    model.pipeline,
    bytes(model.bytes),
    model.demandPerSecond === undefined ? "-" : `${figure(model.demandPerSecond)}/s`,
    ...boxes.map((box) => stateOn(model, box)),
  ]);
  const grid = table(["MODEL", "SIZE", "ASKED", ...boxes.map((box) => box.toUpperCase())], rows, ["SIZE", "ASKED"]);
  if (!decision) return `${grid}\nNothing was decided yet.\n`;
  const { served, bound, by, because, madeAtMs, solveSeconds, short, notes = [] } = decision;
  const share = bound > 0 ? `, ${Math.round((100 * served) / bound)} % of what no placement could beat` : "";
  const who = { solver: "by the solver", greedy: "by the greedy rule", kept: "by leaving all where it stood" }[by];
  return [
    grid,
    `\nEvery model is served ${figure(served)} times what is asked of it${share}.\n`,
    `Decided ${duration(Math.max(0, nowMs - madeAtMs))} ago ${who} in ${duration(1_000 * solveSeconds)}, because ${plain(because)}.\n`,
    ...(short.length > 0 ? [`${plural(short.length, "wish", "wishes")} could not be met:\n`] : []),
    ...short.map((one) => `  ${plain(one.pipeline)}: ${plain(one.because)}\n`),
    ...notes.map((note) => `Note: ${plain(note)}.\n`),
  ].join("");
}

const figure = (value: number): string => String(value >= 100 ? Math.round(value) : Number(value.toPrecision(2)));

function stateOn({ nodes }: PlacedModel, box: string): string {
  const found = nodes.find(({ name }) => name === box);
  if (!found) return "-";
  return found.state === "fetching" ? `fetching ${Math.round(100 * found.fetched)} %` : found.state;
}
