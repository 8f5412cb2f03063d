/** Fleets, nodes and jobs as text for a person. */
import type { FleetView, NodeView } from "../../shared/fleet.ts";
import { shortNodeId } from "../../shared/ids.ts";
import type { JobView } from "../../shared/job.ts";
import type { Labels } from "../../shared/labels.ts";
import type { Health, JobDetail } from "../../shared/routes.ts";
import type { ScrubView } from "../../shared/scrub.ts";
import { bytes, duration, pairs, plain, plural, table } from "./table.ts";

export function describeFleet(fleet: FleetView, health: Health, jobs: readonly JobView[], url: string): string {
  const leader = fleet.nodes.find((node) => node.isLeader);
  const part = fleet.nodes.find((node) => node.isSelf)?.role ?? "not a member";
  const count = (state: JobView["state"]): number => jobs.filter((job) => job.state === state).length;
  const [running, paused] = [count("running"), count("paused")];
  const quorum = fleet.hasQuorum ? "quorum" : `NO QUORUM, missing ${fleet.votersMissing.join(", ")}`;
  return pairs([
    ["fleet", `${fleet.fleetName}: ${plural(fleet.nodes.length, "node")}, ${quorum}`],
    ["this node", `${health.name} (${shortNodeId(fleet.self)}), ${part}, ${health.state}`],
    ["leader", leader ? `${leader.name}, term ${fleet.term}` : `none; term ${fleet.term}`],
    ...drainedRow(fleet),
    ...recoveredRow(fleet),
    ["copies", scrubText(fleet.scrub)],
    ["jobs", `${running} running, ${paused > 0 ? `${paused} paused, ` : ""}${jobs.length - running - paused} ended`],
    ["dashboard", `${url}/`],
  ]);
}

type Rows = [name: string, value: string][];

function drainedRow({ nodes }: FleetView): Rows {
  const drained = nodes.filter((node) => node.drained).map((node) => `${node.name}${node.leaving ? " (leaving)" : ""}`);
  return drained.length === 0 ? [] : [["drained", drained.join(", ")]];
}

function scrubText({ lastFullPassAtMs, damagedFound }: ScrubView): string {
  const read =
    lastFullPassAtMs === undefined
      ? "this disk was not read again in full yet"
      : `this disk was read again in full on ${new Date(lastFullPassAtMs).toISOString().slice(0, 10)}`;
  return damagedFound === 0 ? read : `${read}; ${plural(damagedFound, "damaged copy", "damaged copies")} found so far`;
}

function recoveredRow({ recovered, nodes }: FleetView): Rows {
  if (!recovered) return [];
  const by = nodes.find((node) => node.nodeId === recovered.recoveredBy)?.name ?? shortNodeId(recovered.recoveredBy);
  const at = new Date(recovered.recoveredAtMs).toISOString().slice(0, 16).replace("T", " ");
  return [["recovered", `${at} UTC from ${by}, without ${recovered.removed.map((node) => node.name).join(", ")}`]];
}

const partOf = (node: NodeView): string =>
  `${node.isLeader ? "leader" : node.role}${node.leaving ? ", leaving" : node.drained ? ", drained" : ""}`;

const figure = (value: number | undefined, digits: number, unit: string): string =>
  value === undefined ? "-" : `${value.toFixed(digits)} ${unit}`;

export function describeNodes(nodes: readonly NodeView[]): string {
  const isLabelled = nodes.some((node) => node.labels);
  const head = ["NODE", "ID", "PART", "PRESENCE", "PROFILE", "RATE", "QUEUE", "TEMP", "MEMORY FREE", "LINK"];
  if (isLabelled) head.push("LABELS");
  const rows = nodes.map((node) => {
    const { report } = node;
    const rate = report?.rates.map((one) => `${one.pipeline} ${one.itemsPerSecond.toFixed(1)}/s`).join(", ");
    return [
      `${node.name}${node.isSelf ? " *" : ""}`,
      shortNodeId(node.nodeId),
      partOf(node),
      node.presence,
      report?.hardware.profile ?? "-",
      rate || "-",
      report ? String(report.itemsQueued) : "-",
      figure(report?.vitals.temperatureC, 0, "C") + (report?.vitals.throttled ? "!" : ""),
      report ? bytes(report.vitals.memoryFreeBytes) : "-",
      linkOf(node),
      ...(isLabelled ? [labelsText(node.labels ?? {}) || "-"] : []),
    ];
  });
  return table(head, rows, ["RATE", "QUEUE", "TEMP", "MEMORY FREE", "LINK"]);
}

export const labelsText = (labels: Labels): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(" ");

function linkOf({ isSelf, link }: NodeView): string {
  if (isSelf || !link) return "-";
  return link.state === "up" && link.rttMs !== undefined ? figure(link.rttMs, 1, "ms") : link.state;
}

export function describeJobs(jobs: readonly JobView[]): string {
  if (jobs.length === 0) return "No jobs yet. `skein run ocr FOLDER` makes one.\n";
  const head = ["JOB", "PIPELINE", "STATE", "ITEMS", "FAILED", "SUBMITTED", "TOOK", "PRIORITY", "DEADLINE"];
  const rows = jobs.map((job) => [
    job.jobId,
    job.pipeline,
    job.state,
    `${job.itemsRecorded}/${job.items}`,
    String(job.itemsFailed),
    timeOf(job.submittedAtMs),
    tookOf(job),
    job.priority,
    job.deadlineAtMs === undefined ? "-" : timeOf(job.deadlineAtMs),
  ]);
  return table(head, rows, ["ITEMS", "FAILED", "TOOK"]);
}

const tookOf = (job: JobView): string =>
  job.endedAtMs === undefined ? "-" : duration(job.endedAtMs - job.submittedAtMs);

export function describeJob({ job, plan }: JobDetail): string {
  const head = pairs([
    ["job", `${job.jobId} (${job.pipeline})`],
    ["state", `${job.state}, ${job.itemsRecorded} of ${job.items} recorded, ${job.itemsFailed} failed`],
    ["priority", `${job.priority}, ${plural(job.copies, "copy", "copies")} of each page and result`],
    ...deadlineRow(job),
    ["took", tookOf(job)],
    ["repeats", `${job.duplicatesIgnored} late or repeated reports ignored`],
  ]);
  const shares = job.shares.map((share) => [
    share.name,
    String(share.itemsRecorded),
    String(share.itemsLeased),
    String(share.shardsRecorded),
    plan?.shares.find((one) => one.nodeId === share.nodeId)?.reason ?? "",
  ]);
  const figures = ["RECORDED", "AT WORK", "SHARDS"];
  const body = shares.length === 0 ? "" : `\n${table(["NODE", ...figures, "WHY"], shares, figures)}`;
  return head + stagesText(job) + body + (plan ? `\n${plain(plan.summary)}\n` : "");
}

/** Of a job that goes stage by stage: a line for each segment, which one box runs in one go. */
function stagesText({ stages }: JobView): string {
  if (!stages || stages.length === 0) return "";
  const figures = ["DONE", "FAILED", "AGAIN", "COPIES"];
  const rows = stages.map(({ stages: names, segment, tasks, recorded, failed, runsAgain, copies, nodes }) => [
    names.join(", ") || segment,
    `${recorded}/${tasks}`,
    String(failed),
    String(runsAgain),
    String(copies),
    Object.entries(nodes)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ") || "-",
  ]);
  return `\n${table(["STAGES", ...figures, "BY"], rows, figures)}`;
}

const timeOf = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace("T", " ");

const deadlineRow = ({ deadlineAtMs }: JobView): Rows =>
  deadlineAtMs === undefined ? [] : [["deadline", `${timeOf(deadlineAtMs)} UTC`]];
