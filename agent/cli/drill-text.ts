/** What `skein drill` shows. */
import {
  DRILL_FAULTS,
  type DrillFault,
  type DrillLine,
  type DrillPlan,
  type DrillRecord,
  drillHeld,
  type FaultOutcome,
  type PlannedFault,
} from "../../shared/drill.ts";
import { duration, plain, plural, table } from "./table.ts";

const DEEDS: Record<DrillFault, (victim: string, hold: string) => string> = {
  killLeader: (victim, hold) => `kills the agent on ${victim}, which leads, and starts it again after ${hold}`,
  killWorker: (victim, hold) => `kills the agent on ${victim} and starts it again after ${hold}`,
  freeze: (victim, hold) => `freezes the agent on ${victim} for ${hold}`,
  partition: (victim, hold) => `cuts ${victim} off from the others for ${hold}`,
  slowLink: (victim, hold) => `slows the links of ${victim} down for ${hold}`,
  fillDisk: (victim, hold) => `has ${victim} take its disk for full for ${hold}; nothing is written to fill it`,
  unplug: () => "waits for you to pull the plug or the cable of any box but this one",
};

/** Drills side by side. */
const COMPARED_MAX = 4;

export function describePlan({ coordinator, holdMs, faults, jobsUnderWay }: DrillPlan): string {
  const steps = faults.map((planned, i) => `  ${i + 1}. ${stepText(planned, duration(holdMs))}\n`);
  const jobs =
    jobsUnderWay > 0 ? `${plural(jobsUnderWay, "job")} under way will go on beside it, somewhat slower.` : "";
  return [
    `${plain(coordinator)} coordinates this drill. With work of its own under way on every box it\n`,
    ...steps,
    `One after the other, each once the fleet is whole again. ${jobs}\n`,
  ].join("");
}

function stepText({ fault, victim, leaderFirst, refusal }: PlannedFault, hold: string): string {
  if (refusal) return `${fault}: not now: ${plain(refusal)}`;
  const first = leaderFirst ? `hands the leadership to ${plain(leaderFirst)}, then ` : "";
  return first + DEEDS[fault](plain(victim ?? ""), hold);
}

export const lineText = ({ atMs, text }: DrillLine): string =>
  `${(atMs / 1_000).toFixed(1).padStart(6)} s  ${plain(text)}\n`;

/** Columns of the table, and rows of the comparison. */
const COLUMNS: [title: string, cell: (outcome: FaultOutcome) => string][] = [
  ["DETECTED", ({ detectedAfterMs }) => ms(detectedAfterMs)],
  ["LEADER", ({ leaderAfterMs }) => ms(leaderAfterMs)],
  ["FIRST RESULT", ({ firstResultAfterMs }) => ms(firstResultAfterMs)],
  ["LONGEST PAUSE", ({ longestPauseMs }) => ms(longestPauseMs)],
  ["BACK", ({ healedAfterMs }) => ms(healedAfterMs)],
  ["ITEMS", ({ items }) => String(items)],
  ["REPEATED", ({ repeated }) => String(repeated)],
  ["LOST", ({ lost }) => String(lost)],
  ["TWICE", ({ recordedTwice }) => String(recordedTwice)],
  ["VERDICT", ({ verdict }) => verdict],
];
const FIGURES = COLUMNS.map(([title]) => title).filter((title) => title !== "VERDICT");

const ms = (value: number | undefined): string =>
  value === undefined ? "-" : value < 10_000 ? `${value} ms` : duration(value);

export function describeRecord(record: DrillRecord): string {
  const { outcomes, aborted } = record;
  const rows = outcomes.map((outcome) => [
    outcome.fault,
    `${outcome.victim ?? "-"}${outcome.victimLed ? " *" : ""}`,
    ...COLUMNS.map(([, cell]) => cell(outcome)),
  ]);
  const faults = outcomes.flatMap(({ fault, because }) => because.map((reason) => `${fault}: ${plain(reason)}\n`));
  const checked = outcomes.reduce((sum, { outputsChecked }) => sum + outputsChecked, 0);
  return [
    "\n",
    table(["FAULT", "VICTIM", ...COLUMNS.map(([title]) => title)], rows, FIGURES),
    outcomes.some(({ victimLed }) => victimLed) ? "* led the fleet. " : "",
    `Times count from the fault. ${checked} outputs were read back and found ${sum(outcomes, "wrong") === 0 ? "right" : "wrong in part"}.\n\n`,
    ...faults,
    aborted === undefined ? "" : `Ended early: ${plain(aborted)}\n`,
    drillHeld(record)
      ? "Nothing was lost, nothing was recorded twice, and every box came back.\n"
      : "The drill found fault.\n",
  ].join("");
}

const sum = (outcomes: readonly FaultOutcome[], name: "wrong"): number =>
  outcomes.reduce((total, outcome) => total + outcome[name], 0);

/** The newest drills in columns, each kind of fault in a group of rows. */
export function describeHistory(kept: readonly DrillRecord[]): string {
  if (kept.length === 0) return "No drill is kept yet. `skein drill --all` makes one.\n";
  const shown = kept.slice(-COMPARED_MAX);
  const of = ({ outcomes }: DrillRecord, fault: DrillFault) => outcomes.find((outcome) => outcome.fault === fault);
  const groups = DRILL_FAULTS.filter((fault) => shown.some((record) => of(record, fault)));
  const rows = groups.flatMap((fault) =>
    COLUMNS.map(([title, cell], row) => [
      row === 0 ? fault : "",
      title.toLowerCase(),
      ...shown.map((record) => {
        const outcome = of(record, fault);
        return outcome ? cell(outcome) : "";
      }),
    ]),
  );
  const heads = shown.map(({ startedAtMs }) => new Date(startedAtMs).toISOString().slice(5, 16).replace("T", " "));
  const older =
    kept.length > shown.length ? `${kept.length - shown.length} older ones are kept too: --json shows all.\n` : "";
  return `${table(["FAULT", "", ...heads], rows, heads)}${older}`;
}
