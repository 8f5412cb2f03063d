/** What a box found out about itself, as text for a person. */
import type { BoxView, Finding, LinkFigures } from "../../shared/box.ts";
import type { Disagreement } from "../../shared/disagreements.ts";
import type { FirmwareProfile } from "../../shared/profile.ts";
import { bytes, pairs, plain, plural, table } from "./table.ts";

export interface ProbeReport extends BoxView {
  disagreements: Disagreement[];
}

export function describeProbe(report: ProbeReport): string {
  const { facts, profilesRefused } = report;
  const head = `${plain(facts.model)}: ${facts.arch}, ${plural(facts.cores, "core")}, ${bytes(facts.memoryTotalBytes)}\n`;
  const refused = profilesRefused.map(({ file, reason }) => `Left out: ${plain(file)}: ${plain(reason)}\n`);
  return [
    head,
    foundTable(report),
    missingLine(report),
    pairs([...profileRows(report), ...boundsRows(report.profile)]),
    disagreementText(report),
    refused.join(""),
  ]
    .filter((text) => text !== "")
    .join("\n");
}

/** First words of findings, and the part of the box under which they are shown. */
const PARTS: [prefixes: string[], part: string][] = [
  [["board"], "board"],
  [["cpu"], "cpu"],
  [["memory"], "memory"],
  [["storage"], "storage"],
  [["accelerator"], "gpu, npu"],
  [["network"], "network"],
  [["heat", "slowing", "fan", "power"], "heat, power"],
  [["inside"], "runs in"],
];
const OTHER_PART = "more";

const VALUE_WIDTH = 56;
const FROM_WIDTH = 44;
const short = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, width - 3).trimEnd()}...`;

type Row = [what: string, found: string, from: string];

function foundTable(report: ProbeReport): string {
  const rowsOf = (part: string): Row[] => [
    ...report.found.filter((one) => partOf(one) === part).map(rowOf),
    ...extraRows(report, part),
  ];
  const parts = [...PARTS.map(([, part]) => part), OTHER_PART];
  const rows = parts.flatMap((part) =>
    rowsOf(part).map(([what, found, from], i) => [
      i === 0 ? part : "",
      what,
      short(found, VALUE_WIDTH),
      short(from, FROM_WIDTH),
    ]),
  );
  return table(["PART", "WHAT", "FOUND", "READ FROM"], rows);
}

const partOf = ({ what }: Finding): string => {
  const prefix = what.split(".")[0]!;
  return PARTS.find(([prefixes]) => prefixes.includes(prefix))?.[1] ?? OTHER_PART;
};

/** `cpu.frequencyMaxMHz` is said as "frequency max", its value in MHz. */
function rowOf({ what, value, from }: Finding): Row {
  const [prefix, ...rest] = what.split(".");
  const [, name, unit] = /^(.*?)(Bytes|MHz|Percent|C|rpm)?$/.exec(rest.join("."))!;
  const words = name!.replace(/([a-z0-9])([A-Z])/g, (_, end, start: string) => `${end} ${start.toLowerCase()}`);
  return [words || (unit === "rpm" ? "fan" : prefix!), valueText(value, unit), from];
}

function valueText(value: Finding["value"], unit: string | undefined): string {
  if (typeof value !== "number" || unit === undefined) return String(value);
  if (unit === "Bytes") return bytes(value);
  return `${Math.round(value * 10) / 10} ${unit === "Percent" ? "%" : unit}`;
}

/** What was tried and not read. */
function extraRows({ facts, providers = [], links = [] }: ProbeReport, part: string): Row[] {
  if (part === "network") return links.map(linkRow);
  if (part === "gpu, npu")
    return providers.map(({ name, works, reason }): Row => {
      const found = works ? `works: ${reason}` : `does not load: ${reason}`;
      return [`provider ${name}`, found, "a session of its own"];
    });
  if (part !== "storage") return [];
  const rows: Row[] = [];
  if (facts.fsyncMs !== undefined)
    rows.push(["small write, durable", `${facts.fsyncMs.toFixed(2)} ms`, "measured in the data folder"]);
  if (facts.writeBytesPerSecond !== undefined)
    rows.push(["long write", `${bytes(facts.writeBytesPerSecond)}/s`, "measured in the data folder"]);
  return rows;
}

function linkRow({ name, state, rttMs, bytesPerSecond, from }: LinkFigures): Row {
  const trip = rttMs === undefined ? undefined : `${rttMs.toFixed(1)} ms`;
  const speed = bytesPerSecond === undefined ? undefined : `${bytes(bytesPerSecond)}/s`;
  return [
    `link to ${name}`,
    [state, trip, speed].filter(Boolean).join(", "),
    `measured by the agent${from ? `, ${from}` : ""}`,
  ];
}

function missingLine({ missing }: BoxView): string {
  const names = [...new Set(missing.map(({ what }) => what))];
  return names.length === 0 ? "" : `Looked for and not there: ${names.join(", ")}.\n`;
}

type Pairs = [name: string, value: string][];

function profileRows({ profile, reason, others, executors, runsNothing }: ProbeReport): Pairs {
  const next = others.map(({ name, priority, reason: why, hindrance }): string =>
    hindrance ? `not ${name}: ${why}` : `next ${name} (priority ${priority}): ${why}`,
  );
  return [
    ["profile", `${profile.name}, priority ${profile.priority}: ${profile.title}`],
    ["", `because ${reason}`],
    ...next.map((text): [string, string] => ["", text]),
    ["executors", runsNothing ?? `${executors}; ${executorsText(profile)}`],
  ];
}

function executorsText({ executors, memoryUsableShare }: FirmwareProfile): string {
  if (executors.max === 0) return "boxes of this class run nothing by default";
  const kept = executors.coresReserved === 0 ? "no core" : plural(executors.coresReserved, "core");
  return `${kept} kept back, at most ${executors.max}, in ${Math.round(memoryUsableShare * 100)} % of the memory`;
}

const COOLING_WORDS = { none: "no cooling", heatsink: "a heat sink", fan: "a fan" };

function boundsRows({ thermal, power, storage, providers, notes }: FirmwareProfile): Pairs {
  const modes = (power?.modes ?? []).map(({ name, watts }) => `${name} ${watts} W`);
  const watts = power?.fullLoadWatts === undefined ? "" : `${power.fullLoadWatts} W at full load`;
  const assumed = power?.assumes === undefined ? "" : `figures are for ${power.assumes}`;
  const powerText = [power?.supply, watts, modes.join(", "), assumed].filter(Boolean).join("; ");
  const { warnC, throttleC, cooling } = thermal;
  return [
    [
      "heat",
      `sheds work from ${warnC} C, slows itself from ${throttleC} C; steady load needs ${COOLING_WORDS[cooling]}`,
    ],
    ...(powerText ? ([["power", powerText]] as Pairs) : []),
    ...(storage
      ? ([["wear", `${storage.usual}: at most ${bytes(storage.writeBytesPerDayMax)} written a day`]] as Pairs)
      : []),
    ["providers", providers.length > 0 ? `tried in this order: ${providers.join(", ")}` : "none"],
    ...notes.map((note, i): [string, string] => [i === 0 ? "notes" : "", note]),
  ];
}

function disagreementText({ disagreements }: ProbeReport): string {
  if (disagreements.length === 0) return "What was measured is what the profile says.\n";
  const rows = disagreements.map(({ about, expected, found, because }) => [about, expected, found, because]);
  return table(["BUT", "PROFILE SAYS", "FOUND", "BECAUSE"], rows);
}
