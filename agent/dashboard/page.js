/** Keeps the page up to date: reads the agent's API, listens to its events, and lets draw.js show what it knows. */
import { drawAlarm, drawEvent, drawFleet, drawJobs, drawLive, drawNodes, isOpen } from "./draw.js";

/** Between two looks when no event comes, and the least between two when many do. */
const POLL_MS = 2_000;
const REFRESH_MS_MIN = 350;
/** The agent sends a sign of life every few seconds; after this long without one the stream is taken for dead. */
const SILENCE_MS = 20_000;
const RECONNECT_MS = 1_000;
const JOBS_SHOWN = 8;
/** Plans and leases come from the leader, so they are asked for running jobs only, and for a few. */
const DETAILS_MAX = 4;

/** After these a job is explained anew. */
const EXPLAINED = new Set(["jobPlanned", "jobEnded"]);

/** In this tab only; the token is as good as a key. */
const TOKEN = "skein-token";
const details = new Map();
/** Why jobs were split as they were; undefined where that is no longer known. Asked for again when a job is planned anew. */
const explanations = new Map();
let lastEventId;
let refreshTimer;
let refreshedAtMs = 0;

class Refusal extends Error {
  constructor(status, body) {
    super(body?.message ?? `The agent answered ${status}.`);
    this.status = status;
  }
}

async function call(path, options = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { ...options.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(path, { signal: AbortSignal.timeout(10_000), ...options, headers });
  if (response.ok) return response;
  throw new Refusal(response.status, await response.json().catch(() => undefined));
}

const read = async (path) => (await call(path)).json();

/** Looks at everything once. Each look is whole: what is drawn belongs together. */
async function refresh() {
  const [fleet, jobs] = await Promise.all([read("/v1/fleet"), read("/v1/jobs")]);
  const shown = jobs.slice(0, JOBS_SHOWN);
  const wanted = shown
    // Of one that has ended until that was seen: a look may have been under way meanwhile.
    .filter((job) => isOpen(job) || !details.has(job.jobId) || isOpen(details.get(job.jobId).job))
    .slice(0, DETAILS_MAX);
  const found = await Promise.allSettled(wanted.map((job) => read(`/v1/jobs/${encodeURIComponent(job.jobId)}`)));
  for (const one of found) {
    // While the leader changes there is no plan to be had; the job itself is in the list all the same.
    if (one.status === "fulfilled") details.set(one.value.job.jobId, one.value);
  }
  await explain(shown);
  for (const jobId of details.keys()) if (!shown.some((job) => job.jobId === jobId)) details.delete(jobId);
  drawFleet(fleet);
  drawNodes(fleet);
  drawJobs(shown, jobs.length, { details, explanations });
  drawAlarm(fleet.hasQuorum ? undefined : noQuorum(fleet));
}

async function explain(jobs) {
  const wanted = jobs.filter((job) => !explanations.has(job.jobId)).slice(0, DETAILS_MAX);
  const asked = wanted.map((job) => read(`/v1/explain/${encodeURIComponent(job.jobId)}`));
  for (const [i, one] of (await Promise.allSettled(asked)).entries()) {
    const { jobId, state } = wanted[i];
    if (one.status === "fulfilled") explanations.set(jobId, one.value);
    // Of a job that was just handed in it is being agreed on; of one that has ended it will not come any more.
    else if (one.reason?.status === 404 && state !== "running") explanations.set(jobId, undefined);
  }
  for (const jobId of explanations.keys()) if (!jobs.some((job) => job.jobId === jobId)) explanations.delete(jobId);
}

const noQuorum = (fleet) =>
  `Nothing new can be accepted: too few voters are reachable. Missing: ${fleet.votersMissing.join(", ")}. Running work goes on.`;

async function look() {
  clearTimeout(refreshTimer);
  refreshTimer = undefined;
  refreshedAtMs = performance.now();
  try {
    await refresh();
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) askForToken();
    else drawAlarm(error instanceof Refusal ? error.message : "The agent does not answer. It may be restarting.");
  }
  // A page nobody looks at asks for nothing.
  if (!document.hidden) refreshTimer ??= setTimeout(look, POLL_MS);
}

/** Soon, but not for each event of a burst. */
function lookSoon() {
  const waitMs = Math.max(50, REFRESH_MS_MIN - (performance.now() - refreshedAtMs));
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(look, waitMs);
}

async function listen() {
  for (;;) {
    try {
      await readEvents();
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) return;
    }
    drawLive("wait", "reconnecting");
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
  }
}

async function readEvents() {
  const silence = new AbortController();
  let timer;
  const hear = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  hear();
  try {
    // The first time, what happened before the page was opened; after a break, what was missed.
    const headers = { "last-event-id": String(lastEventId ?? 0) };
    const response = await call("/v1/events", { headers, signal: silence.signal });
    drawLive("good", "live");
    lookSoon();
    const lines = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await lines.read();
      if (done) return;
      hear();
      const parts = (rest + value).split("\n");
      rest = parts.pop();
      for (const line of parts) if (line.startsWith("data:")) take(JSON.parse(line.slice(5)));
    }
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

function take(event) {
  lastEventId = event.id;
  // Its decision, and how well its times were foretold.
  if (EXPLAINED.has(event.event)) explanations.delete(event.facts.jobId);
  drawEvent(event);
  lookSoon();
}

function askForToken() {
  const door = document.getElementById("door");
  if (!door.hidden) return;
  drawAlarm(undefined);
  drawLive("wait", "locked");
  door.hidden = false;
  document.getElementById("token").focus();
}

document.getElementById("door").addEventListener("submit", (submit) => {
  submit.preventDefault();
  sessionStorage.setItem(TOKEN, document.getElementById("token").value);
  document.getElementById("door").hidden = true;
  look().then(listen);
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) lookSoon();
});
// Looked at first, so that the events of before speak of boxes by their names.
look().then(listen);
