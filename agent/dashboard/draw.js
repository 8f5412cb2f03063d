/** Shows what page.js knows. Text from other boxes is only ever set as text, never as markup. */
import { fillSplit, makeSplit } from "./draw-split.js";
import { fillStages } from "./draw-stages.js";
import { keep, make, setText, setWidth } from "./make.js";
import { tell } from "./tell.js";

const EVENTS_SHOWN = 120;
const COLOURS = 8;
const $ = (id) => document.getElementById(id);
const names = new Map();
const colours = new Map();

export function drawLive(state, text) {
  $("live").dataset.state = state;
  setText($("live"), text);
}

export function drawAlarm(text) {
  $("alarm").hidden = text === undefined;
  setText($("alarm"), text ?? "");
}

export function drawFleet(fleet) {
  // A node keeps its colour while the page is open, whoever comes or goes.
  for (const node of fleet.nodes) {
    names.set(node.nodeId, node.name);
    if (!colours.has(node.nodeId)) colours.set(node.nodeId, `var(--n${colours.size % COLOURS})`);
  }
  const leader = fleet.nodes.find((node) => node.isLeader);
  setText($("fleet-name"), fleet.fleetName);
  document.title = `${fleet.fleetName} · Skein`;
  setText($("leader"), leader ? `${leader.name} leads, term ${fleet.term}` : `electing a leader, term ${fleet.term}`);
  $("leader").dataset.state = leader ? "good" : "wait";
  $("quorum").hidden = false;
  $("quorum").dataset.state = fleet.hasQuorum ? "good" : "bad";
  setText($("quorum"), fleet.hasQuorum ? "quorum" : "no quorum");
  setText($("self"), names.get(fleet.self) ?? "this node");
  const fresh = fleet.nodes.filter((node) => node.presence === "fresh").length;
  setText($("nodes-count"), fresh === fleet.nodes.length ? `${fresh}` : `${fresh} of ${fleet.nodes.length} present`);
}

export function drawNodes(fleet) {
  const nodes = [...fleet.nodes].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  const cards = keep(
    $("nodes"),
    nodes.map((node) => node.nodeId),
    makeNode,
  );
  for (const [i, node] of nodes.entries()) fillNode(cards[i], node);
}

function makeNode(nodeId) {
  const figure = (name, label) => make("div", "", [make("dt", "", label), make("dd", name, "-")]);
  const gauge = (name, label) =>
    make("div", `gauge ${name}`, [
      make("span", "", label),
      make("span", "track", make("span", "level")),
      make("span", "", "-"),
    ]);
  const swatch = make("span", "swatch");
  swatch.style.setProperty("--node", colours.get(nodeId));
  const head = make("header", "", [swatch, make("h3"), make("span", "tags"), make("span", "presence")]);
  const figures = make("dl", "figures", [
    figure("rate", "pages/s"),
    figure("queue", "queue"),
    figure("heat", "heat"),
    figure("link", "link"),
  ]);
  const parts = [head, make("p", "soft about"), figures, gauge("memory", "memory"), gauge("load", "cores")];
  return make("article", "card node", parts);
}

function fillNode(card, node) {
  const at = (selector) => card.querySelector(selector);
  const { report } = node;
  card.dataset.presence = node.presence;
  setText(at("h3"), node.name);
  const retiring = node.leaving ? ["leaving"] : node.drained ? ["drained"] : [];
  const tags = [node.isLeader ? "leader" : node.role, ...retiring, ...(node.isSelf ? ["here"] : [])];
  keep(at(".tags"), tags, (text) => make("span", text === "leader" ? "tag lead" : "tag", text));
  setText(at(".presence"), node.presence === "fresh" ? "present" : node.presence);
  setText(at(".link"), node.isSelf ? "self" : linkText(node.link));
  if (!report) return;
  const { hardware, vitals } = report;
  const [rate, ...others] = report.rates.map(({ itemsPerSecond }) =>
    itemsPerSecond.toFixed(itemsPerSecond < 10 ? 1 : 0),
  );
  setText(at(".about"), `${hardware.profile}, ${report.executors} of ${hardware.cores} cores`);
  // What comes with the agent is told first; of models there may be dozens.
  setText(
    at(".rate"),
    rate === undefined ? "-" : others.length > 1 ? `${rate} +${others.length}` : [rate, ...others].join(" / "),
  );
  at(".rate").title = report.rates
    .map(({ pipeline, itemsPerSecond }) => `${pipeline}: ${itemsPerSecond.toFixed(1)}/s`)
    .join("\n");
  setText(at(".queue"), String(report.itemsQueued));
  setText(at(".heat"), vitals.temperatureC === undefined ? "-" : `${Math.round(vitals.temperatureC)} °C`);
  at(".heat").classList.toggle("hot", vitals.throttled);
  const usedBytes = hardware.memoryTotalBytes - vitals.memoryFreeBytes;
  fillGauge(at(".memory"), usedBytes / hardware.memoryTotalBytes, `${gigabytes(vitals.memoryFreeBytes)} free`);
  fillGauge(at(".load"), vitals.cpuLoad, `${Math.round(vitals.cpuLoad * 100)} %`);
}

function fillGauge(gauge, share, text) {
  setWidth(gauge.querySelector(".level"), share);
  setText(gauge.lastElementChild, text);
}

const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(1)} GB`;

function linkText(link) {
  if (link?.state !== "up") return link?.state ?? "none";
  return link.rttMs === undefined ? "up" : `${link.rttMs.toFixed(1)} ms`;
}

export function drawJobs(jobs, total, { details, explanations }) {
  $("jobs-none").hidden = total > 0;
  const running = jobs.filter((job) => job.state === "running").length;
  const paused = jobs.filter((job) => job.state === "paused").length;
  const open = paused > 0 ? `${running} running, ${paused} paused` : `${running} running`;
  setText($("jobs-count"), total === 0 ? "" : `${open}, ${total} in all`);
  const cards = keep(
    $("jobs"),
    jobs.map((job) => job.jobId),
    makeJob,
  );
  // The list is this node's own ledger; the leases are the leader's and come with the detail.
  for (const [i, job] of jobs.entries()) fillJob(cards[i], job, details.get(job.jobId), explanations.get(job.jobId));
}

function makeJob(jobId) {
  const head = make("header", "", [
    make("h3", "", jobId),
    make("span", "soft state"),
    make("span", "failed"),
    make("span", "percent"),
  ]);
  const bar = make("div", "bar");
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-label", `Pages of ${jobId} recorded`);
  return make("article", "card job", [head, bar, make("ul", "shares"), make("ul", "stages"), makeSplit()]);
}

function fillJob(card, job, detail, explanation) {
  const at = (selector) => card.querySelector(selector);
  setText(at(".state"), stateOf(job));
  setText(at(".failed"), job.itemsFailed > 0 ? `${job.itemsFailed} failed` : "");
  setText(at(".percent"), `${job.itemsRecorded} / ${job.items}`);
  const bar = at(".bar");
  bar.setAttribute("aria-valuemin", "0");
  bar.setAttribute("aria-valuemax", String(job.items));
  bar.setAttribute("aria-valuenow", String(job.itemsRecorded));
  const keys = job.shares.map((share) => share.nodeId);
  const segments = keep(bar, keys, (nodeId) => coloured(make("span"), nodeId));
  const lines = keep(at(".shares"), keys, (nodeId) =>
    make("li", "", [coloured(make("span", "swatch"), nodeId), make("span"), make("b"), make("span", "soft")]),
  );
  for (const [i, share] of job.shares.entries()) {
    const leased = detail?.job.shares.find((one) => one.nodeId === share.nodeId)?.itemsLeased ?? share.itemsLeased;
    const [, name, count, more] = lines[i].children;
    setWidth(segments[i], share.itemsRecorded / job.items);
    segments[i].title = `${share.name}: ${share.itemsRecorded}`;
    setText(name, share.name);
    setText(count, String(share.itemsRecorded));
    setText(more, isOpen(job) && leased > 0 ? `+ ${leased} at work` : "");
  }
  fillStages(at(".stages"), (detail?.job ?? job).stages, colouredByName);
  fillSplit(at(".plan"), explanation, coloured);
}

function coloured(element, nodeId) {
  if (colours.has(nodeId)) element.style.setProperty("--node", colours.get(nodeId));
  return element;
}

function colouredByName(element, name) {
  const [nodeId] = [...names].find(([, one]) => one === name) ?? [];
  return coloured(element, nodeId);
}

/** Work of a paused job may still run. */
export const isOpen = (job) => job.state === "running" || job.state === "paused";

function stateOf(job) {
  const took = job.endedAtMs === undefined ? "" : ` in ${((job.endedAtMs - job.submittedAtMs) / 1000).toFixed(1)} s`;
  const priority = job.priority === "normal" ? "" : `, ${job.priority} priority`;
  const until = isOpen(job) && job.deadlineAtMs ? `, until ${new Date(job.deadlineAtMs).toLocaleTimeString()}` : "";
  return `${job.pipeline}, ${job.state}${took}${priority}${until}`;
}

export function drawEvent(event) {
  const told = tell(event, (id) => names.get(id) ?? id);
  if (!told) return;
  const time = make("time", "", new Date(event.atMs).toLocaleTimeString());
  time.dateTime = new Date(event.atMs).toISOString();
  const line = make("li", "", [time, told.text]);
  line.dataset.kind = told.kind;
  $("events").prepend(line);
  while ($("events").children.length > EVENTS_SHOWN) $("events").lastElementChild.remove();
}
