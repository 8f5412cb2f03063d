import type { ExplainedChange, ExplainedNode, Explanation } from "../../shared/explanation.ts";
import { print } from "./calls.ts";
import { type CommonOptions, clientFor } from "./options.ts";
import { bytes, plain, plural, table } from "./table.ts";
import type { World } from "./world.ts";

/** Why a job was split so, or what a node was given and why; `--why-not NODE` and `--what-if CHANGE` ask on. */
export async function explain(
  what: string,
  options: CommonOptions & { whyNot?: string; whatIf?: string[] },
  world: World,
): Promise<number> {
  const client = await clientFor(options, world);
  const changes = (options.whatIf ?? []).join(";");
  const explanation = await client.call((one) => one.explain(what, options.whyNot ?? "", changes));
  return print(options, world, explanation, describeExplanation(explanation));
}

export function describeExplanation(explanation: Explanation): string {
  const { says, nodes, ways = [], bound, predictionErrors = [], whyNot, whatIf } = explanation;
  const forecasts = predictionErrors.map(
    ({ name, pipeline, median, shards }) =>
      `${name}: ${(100 * median).toFixed(0)} % off with ${pipeline}, by the median of ${plural(shards, "shard")}`,
  );
  const asked = [
    whyNot ? section(`Why not ${whyNot.node}`, whyNot.says) : "",
    whatIf ? section(`What if ${whatIf.changes.join(", ")}`, whatIf.says) + changesTable(whatIf) : "",
  ];
  // Who asks on is answered, and need not read all of it again.
  const rest =
    whyNot || whatIf
      ? []
      : [
          nodes.length > 0
            ? section(
                "Why",
                nodes.map(({ name, because }) => `${name} ${glued(because)}`),
              )
            : "",
          section(
            "Ways compared",
            ways.map((way) => way.says),
          ),
          bound ? section("Bound", [bound.says]) : "",
          section("Times foretold, now", forecasts),
        ];
  const parts = [headOf(explanation) + lines(says), ...asked, nodes.length > 0 ? nodesTable(nodes) : "", ...rest];
  return parts.filter((part) => part !== "").join("\n");
}

function headOf({ of, what, decidedAtMs, term }: Explanation): string {
  if (decidedAtMs === undefined) return `${plain(what)}, as it is now.\n`;
  const at = new Date(decidedAtMs).toISOString().slice(0, 19).replace("T", " ");
  if (of === "node")
    return `${plain(what)}, as it is now; the last decision about it was made ${at} UTC, in term ${term}.\n`;
  return `${plain(what)}, as it was decided ${at} UTC, in term ${term}, from what was known then.\n`;
}

/** "gets no work: it is late" goes on after a name; the rest is told of it. */
const glued = (because: string): string =>
  because.startsWith("gets ") ? because : `: ${because}`.replace(/^: /, "was ");

const lines = (texts: readonly string[]): string => texts.map((text) => `${plain(text)}\n`).join("");
const section = (title: string, texts: readonly string[]): string =>
  texts.length === 0 ? "" : `${plain(title)}\n${texts.map((text) => `  ${plain(text)}\n`).join("")}`;

const seconds = (value: number | undefined): string =>
  value === undefined || value === 0 ? "-" : `${value < 0.1 ? value.toFixed(3) : value.toFixed(1)} s`;

function nodesTable(nodes: readonly ExplainedNode[]): string {
  const columns: [head: string, cell: (node: ExplainedNode) => string][] = [
    ["ITEMS", ({ figures }) => (figures.items === undefined ? "-" : String(figures.items))],
    ["ENDS AFTER", ({ figures, isUsed }) => (isUsed ? seconds(figures.endSeconds) : "-")],
    ["COMPUTE", ({ figures }) => seconds(figures.computeSeconds)],
    ["TRANSFER", ({ figures }) => seconds(figures.transferSeconds)],
    ["QUEUE", ({ figures }) => seconds(figures.queueSeconds)],
    ["HAND-OVER", ({ figures }) => seconds(figures.handOverSeconds)],
    ["SPEED", ({ figures }) => (figures.itemsPerSecond ? `${figures.itemsPerSecond.toFixed(2)}/s` : "-")],
    ["COUNTED", ({ figures }) => (figures.derating === undefined ? "-" : `${Math.round(100 * figures.derating)} %`)],
    ["TEMP", ({ figures }) => (figures.temperatureC === undefined ? "-" : `${Math.round(figures.temperatureC)} C`)],
    ["NEEDS", ({ figures }) => bytesOf(figures.memoryNeededBytes)],
    ["FOR MODELS", ({ figures }) => bytesOf(figures.memoryForModelsBytes)],
    ["MEMORY FREE", ({ figures }) => bytesOf(figures.memoryFreeBytes)],
  ];
  // What nobody has anything in says nothing.
  const told = columns.filter(([, cell]) => nodes.some((node) => cell(node) !== "-"));
  const rows = nodes.map((node) => [node.name, ...told.map(([, cell]) => cell(node))]);
  const heads = told.map(([head]) => head);
  return table(["NODE", ...heads], rows, heads);
}

const bytesOf = (value: number | undefined): string => (value === undefined ? "-" : bytes(value));

function changesTable({ nodes, unit }: ExplainedChange): string {
  if (nodes.length === 0) return "";
  const figure = (value: number): string => (unit === "s" ? String(value) : value > 0 ? "yes" : "no");
  const rows = nodes.map(({ name, before, after }) => [`  ${name}`, figure(before), figure(after)]);
  return table(["  NODE", "BEFORE", "AFTER"], rows, ["BEFORE", "AFTER"]);
}
