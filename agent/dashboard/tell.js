/** Events of the agent as sentences. One that is not known here is told by its own name and facts, so none is lost. */

/** Told by the bars already; as lines they would drown the rest. */
const QUIET = new Set([
  ...["resultRecorded", "jobProgressed", "shardLeased", "snapshotSent"],
  // Others tell of the same at that moment, with the reason.
  ...["placementDecided", "jobFormed", "jobFormChosen"],
]);
const GOOD = new Set(["agentReady", "nodeAdmitted", "copiesRepaired", "modelReady"]);
const BAD = /failed|damaged|takenBack|silent|lost|refused|unreadable|missed/i;

const SENTENCES = {
  agentStarted: (f) => `${f.name} has started`,
  agentReady: (f) => `${f.name} is ready to work with ${count(f.executors, "executor")}`,
  leaderChanged: (f) =>
    f.leader ? `${f.leader} leads in term ${f.term}` : `A leader is being elected, term ${f.term}`,
  leadershipBegun: (f) => `This box took the lead in term ${f.term}`,
  leadershipEnded: () => "This box leads no more",
  nodeAdmitted: (f) => `${f.name} came into the fleet`,
  nodePresenceChanged: (f) => `${f.name} is ${f.to === "fresh" ? "present" : f.to}: ${f.because}`,
  membershipChanging: (f) => `Seats change: ${f.change} (${f.because})`,
  jobSubmitted: (f) => `${f.jobId} handed in: ${count(f.items, "item")}`,
  jobPlanned: (f) => `${f.jobId} planned. ${f.summary}`,
  predictionMeasured: (f) =>
    `The times of ${f.node} with ${f.pipeline} are foretold to within ${Math.round(100 * f.predictionError)} %`,
  nodeDerated: (f) =>
    f.factor === 1 ? `${f.name} is counted at its whole speed again` : `Work moves away from ${f.name}: ${f.because}`,
  jobPaused: (f) => (f.state === "paused" ? `${f.jobId} is paused` : `${f.jobId} goes on`),
  jobEnded: (f) => `${f.jobId} ${f.state}${f.itemsFailed > 0 ? `, ${count(f.itemsFailed, "item")} failed` : ""}`,
  itemFailed: (f) => `Item ${f.item + 1} of ${f.jobId} failed: ${f.reason}`,
  stageResultsLost: (f) => `${count(f.tasks, "result")} of ${f.segment} lost, to be made again for ${f.jobId}`,
  modelsPlaced: (f) =>
    `Models were placed because ${f.because}${f.short > 0 ? `; ${count(f.short, "wish", "wishes")} could not be met` : ""}`,
  modelReady: (f) => `${f.model} is ready on this box`,
  modelUnloaded: (f) => `${f.model} was taken off this box`,
  modelFailed: (f) => `${f.model} cannot run here: ${f.reason}`,
  shardTakenBack: (f) => `${count(f.items, "item")} of ${f.jobId} taken back from ${f.node}: ${f.because}`,
  leaseRefused: (f) => `${f.node} refused a share: ${f.reason}`,
  workerSilent: (f) => `${f.node} is silent: ${f.reason}`,
  blobDamaged: (f) => `A damaged copy was set aside at ${f.holder}`,
  copiesRepaired: (f) => `${count(f.copies, "copy", "copies")} made anew`,
  snapshotTaken: (f) => `The log up to entry ${f.index} was put into a snapshot`,
  snapshotInstalled: (f) => `Caught up to entry ${f.index} by a snapshot`,
  snapshotLost: (f) => f.reason,
  eventsMissed: (f) => `${count(f.count, "older event")} not kept`,
};

const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** `undefined` for what needs no line; `kind` is good, bad or empty. `nameOf` turns a node's id into its name. */
export function tell({ event, facts }, nameOf) {
  if (QUIET.has(event)) return undefined;
  const named = Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, withNames(value, nameOf)]));
  const isLoss = event === "nodePresenceChanged" && facts.to !== "fresh";
  const isGain = event === "jobEnded" && facts.state === "done" && !facts.itemsFailed;
  const kind = isLoss || BAD.test(event) ? "bad" : isGain || GOOD.has(event) ? "good" : "";
  return { kind, text: SENTENCES[event]?.(named) ?? plainly(event, named) };
}

function withNames(value, nameOf) {
  if (typeof value === "string") return nameOf(value);
  if (Array.isArray(value)) return value.map((one) => withNames(one, nameOf)).join(", ");
  return value !== null && typeof value === "object" ? JSON.stringify(value) : value;
}

/** `ledgerEntryUnreadable` with its facts → `Ledger entry unreadable: index 7, reason it is cut off`. */
function plainly(event, facts) {
  const words = event.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  const shown = Object.entries(facts).filter(([, value]) => value !== undefined && value !== "");
  const told = shown.map(([name, value]) => `${name} ${value}`).join(", ");
  return words[0].toUpperCase() + words.slice(1) + (told ? `: ${told}` : "");
}
