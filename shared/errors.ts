/**
 * Errors are a code with its facts. One table maps codes to a sentence (what happened, why, what to do), an HTTP status
 * and an exit code, so that the API, the CLI and the wire between agents say the same thing.
 */

type Facts = Record<string, unknown>;
interface Kind {
  /** HTTP status of the API's answer. */
  status: number;
  /** Exit code of the CLI. 1: the thing asked for failed · 2: asked wrongly · 3: not found · 4: no agent · 5: no quorum · 6: not allowed. */
  exit: number;
  say: (facts: Facts) => string;
}

const list = (value: unknown): string => (Array.isArray(value) ? value.join(", ") : String(value));
const megabytes = (value: unknown): string => `${Math.round(Number(value) / 1e6)} MB`;

/** The first of them, and how many more there are. */
function faultsText(faults: unknown): string {
  const [first, ...more] = Array.isArray(faults) ? (faults as { path?: string; line?: number; reason?: string }[]) : [];
  if (!first) return String(faults);
  const place = [first.line === undefined ? "" : `line ${first.line}`, first.path].filter(Boolean).join(", ");
  const rest = more.length === 0 ? "" : `; and ${more.length} more ${more.length === 1 ? "fault" : "faults"}`;
  return `${place ? `${place}: ` : ""}${first.reason}${rest}`;
}

/** Each on a line of its own. */
function inputFaultsText(faults: unknown): string {
  const all = Array.isArray(faults) ? (faults as { place?: string; reason?: string }[]) : [];
  return all.map(({ place, reason }) => `\n  ${place}: ${reason}`).join("");
}

export const ERRORS = {
  // Asked wrongly.
  BAD_REQUEST: { status: 400, exit: 2, say: (f) => `The request is not valid: ${f.reason}.` },
  UNKNOWN_PIPELINE: {
    status: 400,
    exit: 2,
    say: (f) => `There is no pipeline "${f.pipeline}". This fleet knows: ${list(f.known)}.`,
  },
  PIPELINE_INVALID: {
    status: 422,
    exit: 2,
    say: (f) => `The pipeline ${f.pipeline} is not accepted: ${faultsText(f.faults)}.`,
  },
  PIPELINE_EXISTS: {
    status: 409,
    exit: 2,
    say: (f) =>
      `${f.pipeline} is another pipeline already, and a version is given once. Add yours under the next version.`,
  },
  NAME_TAKEN: {
    status: 409,
    exit: 2,
    say: (f) => `${f.name} is the name of a ${f.of}, and models and pipelines share one space of names. Take another.`,
  },
  PART_WANTED: {
    status: 409,
    exit: 1,
    say: (f) => `${f.part} is not removed: pipelines are made of it (${list(f.by)}). Remove those first.`,
  },
  PIPELINE_WANTED: {
    status: 409,
    exit: 1,
    say: (f) =>
      `${f.pipeline} is not removed: open jobs want it (${list(f.jobs)}). Wait for them, or remove it with --force, which cancels them.`,
  },
  NO_INPUTS: {
    status: 400,
    exit: 2,
    say: (f) =>
      `${f.where} has no ${f.what ? `${f.what} files` : "inputs"}, so there is nothing to read.${f.sample ? ` To try it: ${f.sample}` : ""}`,
  },
  PIPELINE_FILE_MISSING: {
    status: 400,
    exit: 2,
    say: (f) =>
      `${f.path} is neither a file nor a folder with pipeline.yaml, nor an application that comes with Skein (${list(f.known)}).`,
  },
  INPUTS_INVALID: {
    status: 400,
    exit: 2,
    say: (f) => `Nothing was handed in, because of what is wrong with the inputs:${inputFaultsText(f.faults)}`,
  },
  FOLDER_MISSING: { status: 400, exit: 2, say: (f) => `${f.path} does not exist. Check the path.` },
  TOO_LARGE: { status: 413, exit: 2, say: (f) => `${f.what} is ${f.actual}; the most is ${f.limit}.` },
  IDEMPOTENCY_CONFLICT: {
    status: 409,
    exit: 2,
    say: (f) => `The key "${f.key}" belongs to job ${f.jobId}, which has other inputs. Use a new key for a new job.`,
  },
  // A single input.
  INPUT_EMPTY: { status: 422, exit: 1, say: (f) => `${f.name ?? "The input"} is empty (0 bytes).` },
  IMAGE_UNREADABLE: {
    status: 422,
    exit: 1,
    say: (f) => `${f.name ?? "The input"} cannot be read as PNG, JPEG or WebP: ${f.reason}.`,
  },
  IMAGE_TOO_LARGE: {
    status: 422,
    exit: 1,
    say: (f) => `${f.name ?? "The image"} has ${f.pixels} pixels; the most is ${f.limit}. Scale it down first.`,
  },
  INPUT_INVALID: {
    status: 422,
    exit: 1,
    say: (f) => `${f.name ?? "The input"} is not an input of the pipeline ${f.pipeline}: ${f.reason}.`,
  },
  EXECUTOR_DIED: {
    status: 500,
    exit: 1,
    say: (f) => `The inference process ended (${f.reason}) while it worked on ${f.name ?? "this input"}.`,
  },
  ITEM_QUARANTINED: {
    status: 500,
    exit: 1,
    say: (f) =>
      `${f.name ?? "This input"} ended ${Array.isArray(f.kills) ? f.kills.length : "several"} inference processes and is not tried again (${Array.isArray(f.kills) ? f.kills.join("; ") : f.kills}).`,
  },
  STAGE_OUTPUT_LOST: {
    status: 500,
    exit: 1,
    say: (f) =>
      `What ${f.maker} made for ${f.name ?? "this input"} was lost ${f.times} times by boxes that are there, and is not made again.`,
  },
  EXECUTORS_BUSY: {
    status: 503,
    exit: 1,
    say: (f) =>
      `${f.waiting} inputs wait for this node's executors already, so ${f.name} was not taken. Try again later.`,
  },
  DEADLINE_EXCEEDED: { status: 504, exit: 1, say: (f) => `${f.what} did not finish within ${f.deadlineMs} ms.` },
  MODEL_INVALID: { status: 500, exit: 1, say: (f) => `The model ${f.model} cannot be loaded: ${f.reason}.` },
  MODEL_UNTIMED: {
    status: 500,
    exit: 1,
    say: (f) => `The model ${f.model} cannot be timed: no made-up input runs through it.`,
  },
  MODEL_REFUSED: {
    status: 422,
    exit: 2,
    say: (f) => `The model ${f.model} is not accepted: ${f.reason}.`,
  },
  MODEL_EXISTS: {
    status: 409,
    exit: 2,
    say: (f) => `${f.model} is another model already, and a version is given once. Add yours under the next version.`,
  },
  TUNING_BUSY: {
    status: 409,
    exit: 2,
    say: (f) => `This box is searching how ${f.model} is best run, and searches one model at a time.`,
  },
  MODEL_WANTED: {
    status: 409,
    exit: 1,
    say: (f) =>
      `${f.model} is not removed: open jobs want it (${list(f.jobs)}). Wait for them, or remove it with --force, which cancels them.`,
  },
  TUNING_FAILED: {
    status: 500,
    exit: 1,
    say: (f) => `The search for how ${f.model} is best run ended without an answer: ${f.reason}`,
  },
  DATASET_UNKNOWN: {
    status: 404,
    exit: 2,
    say: (f) => `This box has no data set ${f.dataset}. Put one on it with: skein dataset add NAME FILE`,
  },
  FIT_NOBODY: {
    status: 409,
    exit: 1,
    say: (f) => `No box that is there has rows of ${f.dataset} to learn from.`,
  },
  FIT_BUSY: { status: 503, exit: 1, say: (f) => `${f.waiting} rounds wait on this box already.` },
  FIT_FAILED: { status: 500, exit: 1, say: (f) => `A round of fitting ended without an answer: ${f.reason}.` },
  SOLVER_FAILED: { status: 500, exit: 1, say: (f) => `The solver did not answer: ${f.reason}.` },
  RULES_CONFLICT: {
    status: 409,
    exit: 2,
    say: (f) =>
      `These rules cannot hold together: ${list(f.rules)}. The reason: ${f.reason}. Take one of them back first.`,
  },
  // Not found.
  MODEL_UNKNOWN: { status: 404, exit: 3, say: (f) => `There is no model ${f.model}. \`skein model list\` lists them.` },
  RULE_UNKNOWN: { status: 404, exit: 3, say: (f) => `There is no rule ${f.rule}. \`skein rule list\` lists them.` },
  JOB_UNKNOWN: { status: 404, exit: 3, say: (f) => `There is no job ${f.jobId}. \`skein jobs\` lists them.` },
  FANOUT_TOO_LARGE: {
    status: 422,
    exit: 1,
    say: (f) => `${f.segment} made ${f.elements} elements of one input, and ${f.what} is ${f.limit}.`,
  },
  FANOUT_UNSOUND: {
    status: 500,
    exit: 1,
    say: (f) => `The list that ${f.segment} made cannot be gone through: ${f.reason}.`,
  },
  JOB_ENDED: { status: 409, exit: 1, say: (f) => `Job ${f.jobId} has ended already: it is ${f.state}.` },
  JOB_OPEN: {
    status: 409,
    exit: 1,
    say: (f) => `Job ${f.jobId} has not ended, so it is not forgotten. \`skein cancel ${f.jobId}\` ends it.`,
  },
  EXPLAIN_UNKNOWN: {
    status: 404,
    exit: 3,
    say: (f) =>
      f.isBuiltIn
        ? `${f.what} comes with the agent and is on every box that runs anything, so nothing was decided about where it stands. \`skein explain NODE\` tells how fast a box is with it, \`skein explain JOB\` how a job over it was split.`
        : `There is no job, model or node ${f.what}. \`skein jobs\`, \`skein model list\` and \`skein nodes\` list them.`,
  },
  DECISION_MISSING: {
    status: 404,
    exit: 3,
    say: (f) =>
      `How ${f.what} was decided is not known${f.reason ? `, for the record of it cannot be read: ${f.reason}` : ""}. Decisions are kept for the last ${f.kept} jobs, from when a leader has planned them.`,
  },
  NODE_UNKNOWN: {
    status: 404,
    exit: 3,
    say: (f) =>
      f.decided
        ? `${f.node} was no node of this fleet when that was decided; \`skein explain\` without it names those that were.`
        : `There is no node ${f.node} in this fleet. \`skein nodes\` lists them.`,
  },
  BLOB_MISSING: { status: 404, exit: 3, say: (f) => `No reachable node holds blob ${f.hash}.` },
  ROUTE_UNKNOWN: { status: 404, exit: 3, say: (f) => `There is no ${f.method} ${f.path} here.` },
  // The agent and the fleet.
  AGENT_UNREACHABLE: {
    status: 503,
    exit: 4,
    say: (f) =>
      `No agent answers at ${f.url} (${f.reason}). Start it with \`skein start\`, or name another with --api.`,
  },
  NOT_READY: {
    status: 503,
    exit: 4,
    say: ({ pipeline }) =>
      pipeline === undefined
        ? "The agent is still starting: its models are being loaded. Try again in a moment."
        : `No box can run all of ${pipeline} now: its models are not ready together on any, or its stages want boxes of different labels. Try again in a moment, or hand it in as a job (\`skein run\`), which can be cut.`,
  },
  AGENT_RUNNING: { status: 409, exit: 4, say: (f) => `An agent already runs on ${f.data} (process ${f.pid}).` },
  NOT_INITIALISED: {
    status: 409,
    exit: 4,
    say: (f) =>
      `${f.data} holds no fleet yet. Make one with \`skein init\`, or come into one with \`skein join TOKEN\`.`,
  },
  ALREADY_INITIALISED: {
    status: 409,
    exit: 2,
    say: (f) => `${f.data} already belongs to fleet ${f.fleet}. Use another folder with --data.`,
  },
  PORT_TAKEN: {
    status: 500,
    exit: 4,
    say: (f) => `Port ${f.port} is taken by another program. Choose another with ${f.option}.`,
  },
  NO_QUORUM: {
    status: 503,
    exit: 5,
    say: (f) =>
      `Nothing durable can be accepted: ${f.reachable} of ${f.voters} voters are reachable and ${f.needed} are needed. Missing: ${list(f.missing)}. Bring one of them back; running work goes on.`,
  },
  NO_LEADER: { status: 503, exit: 5, say: () => "The fleet is electing a leader. Try again in a moment." },
  NOT_LEADER: { status: 503, exit: 5, say: (f) => `This node does not lead; ${f.leader ?? "nobody known"} does.` },
  NOT_A_MEMBER: {
    status: 503,
    exit: 5,
    say: (f) => `Node ${f.peer} does not hold the fleet's ledger, so it cannot answer this. Ask a voter.`,
  },
  PROPOSAL_DROPPED: { status: 503, exit: 5, say: (f) => `The proposal was dropped (${f.reason}). Try again.` },
  OUTCOME_UNKNOWN: {
    status: 503,
    exit: 5,
    say: (f) => `Nobody can tell yet whether this was done (${f.reason}). Look how it stands, or do it again.`,
  },
  MEMBERSHIP_BUSY: {
    status: 409,
    exit: 5,
    say: () => "Another change of membership is under way. Try again in a moment.",
  },
  HANDOVER_FAILED: {
    status: 503,
    exit: 1,
    say: (f) => `The leadership was not handed over: ${f.reason}. Nothing is lost: ${f.leader} leads on.`,
  },
  LEAVE_REFUSED: { status: 409, exit: 1, say: (f) => `This box cannot leave now: ${f.reason}.` },
  HAS_LEFT: {
    status: 409,
    exit: 4,
    say: (f) =>
      `This box left the fleet ${f.fleet} at ${f.leftAt}, and its id is spent. To come in again it needs a new one: move ${f.data} away or delete it, then \`skein join TOKEN\`.`,
  },
  DRILL_UNKNOWN: {
    status: 404,
    exit: 3,
    say: (f) => `There is no drill ${f.drillId}. \`skein drill history\` lists those that are kept.`,
  },
  DRILL_REFUSED: { status: 409, exit: 1, say: (f) => `The drill does not begin: ${f.reason}.` },
  RECOVERY_REFUSED: { status: 409, exit: 1, say: (f) => `The fleet is not recovered: ${f.reason}.` },
  COPIES_SHORT: {
    status: 503,
    exit: 1,
    say: (f) => `Only ${f.made} of ${f.wanted} copies could be made: ${f.reason}.`,
  },
  // Trust.
  UNAUTHORIZED: { status: 401, exit: 6, say: () => "This API needs a token beyond loopback: --token, or SKEIN_TOKEN." },
  ORIGIN_REFUSED: {
    status: 403,
    exit: 6,
    say: (f) =>
      `The request is refused: ${f.reason}. Without a token this API answers its own page and local programs only.`,
  },
  NEEDS_ROOT: { status: 403, exit: 6, say: (f) => `${f.what} changes the system and needs root. Try it with sudo.` },
  WRONG_FLEET: {
    status: 403,
    exit: 6,
    say: (f) =>
      `The peer ${f.peer ?? ""} holds another fleet's secret, so the handshake failed. Is it the right fleet?`,
  },
  RESULT_UNPROVEN: {
    status: 422,
    exit: 1,
    say: (f) => `What ${f.peer} reports of item ${f.item} is not taken: ${f.reason}.`,
  },
  NOT_ON_ROSTER: {
    status: 403,
    exit: 6,
    say: (f) => `Node ${f.peer} is not on this fleet's roster. Invite it with \`skein invite\`.`,
  },
  INVITE_INVALID: {
    status: 403,
    exit: 6,
    say: (f) => `The invitation is not valid: ${f.reason}. Ask for a new one: \`skein invite\`.`,
  },
  // Peers, disks, bytes.
  PEER_UNREACHABLE: { status: 503, exit: 1, say: (f) => `Node ${f.peer} cannot be reached: ${f.reason}.` },
  PEER_BUSY: { status: 503, exit: 1, say: (f) => `Node ${f.peer} has too much waiting: ${f.reason}.` },
  FRAME_INVALID: { status: 400, exit: 1, say: (f) => `A frame from ${f.peer} is not valid: ${f.reason}.` },
  BLOB_HASH_MISMATCH: {
    status: 500,
    exit: 1,
    say: (f) =>
      `A blob does not match its hash: expected ${f.expected}, got ${f.actual}${f.peer ? ` from ${f.peer}` : ""}.`,
  },
  DISK_FULL: {
    status: 507,
    exit: 1,
    say: (f) =>
      `The disk under ${f.path} is full (${megabytes(f.freeBytes)} free). Free some space; the node then takes part again.`,
  },
  SNAPSHOT_LOST: {
    status: 500,
    exit: 1,
    say: (f) =>
      `This node's snapshot up to entry ${f.index} cannot be read (${f.reason}). It votes, and asks the others until one can give it what is missing; if none ever does, remove the data folder and join again as a new node.`,
  },
  JOURNAL_CORRUPT: {
    status: 500,
    exit: 1,
    say: (f) =>
      `The journal in ${f.path} is damaged (${f.reason}). This node must not vote with it and comes back as a new one: \`skein remove\` it on another node, delete its data folder, and \`skein join\` with a new invitation.`,
  },
  INTERNAL: { status: 500, exit: 1, say: (f) => `Something unexpected happened: ${f.reason}.` },
} as const satisfies Record<string, Kind>;

export type ErrorCode = keyof typeof ERRORS;
export interface ErrorBody {
  code: ErrorCode;
  message: string;
  facts: Facts;
}

/** The leader's word over the last report of an item, whose code is among the facts as `reported`. */
export const VERDICTS = ["ITEM_QUARANTINED", "STAGE_OUTPUT_LOST"] as const satisfies readonly ErrorCode[];
export type VerdictCode = (typeof VERDICTS)[number];

/** The input itself is at fault: no other node would do better, so the failure is recorded at once. */
export const INPUT_FAULTS: readonly ErrorCode[] = [
  "INPUT_EMPTY",
  "INPUT_INVALID",
  "IMAGE_UNREADABLE",
  "IMAGE_TOO_LARGE",
];

export class SkeinError extends Error {
  readonly code: ErrorCode;
  readonly facts: Facts;

  constructor(code: ErrorCode, facts: Facts = {}, options?: ErrorOptions) {
    super((ERRORS[code] as Kind).say(facts), options);
    this.name = "SkeinError";
    this.code = code;
    this.facts = facts;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get exitCode(): number {
    return ERRORS[this.code].exit;
  }

  toJSON(): ErrorBody {
    return { code: this.code, message: this.message, facts: this.facts };
  }

  /** Reads an error another agent or the API sent. Anything that is not one becomes INTERNAL with its text. */
  static from(value: unknown): SkeinError {
    if (value instanceof SkeinError) return value;
    const body = value as Partial<ErrorBody> | undefined;
    if (body && typeof body.code === "string" && Object.hasOwn(ERRORS, body.code))
      return new SkeinError(body.code, typeof body.facts === "object" && body.facts ? body.facts : {});
    const reason = value instanceof Error ? value.message : String(body?.message ?? value);
    return new SkeinError("INTERNAL", { reason }, value instanceof Error ? { cause: value } : undefined);
  }
}

/** For what the program itself guarantees. A broken invariant stops the agent; a bad message from outside never comes here. */
export function invariant(holds: unknown, what: string): asserts holds {
  if (!holds) throw new Error(`broken invariant: ${what}`);
}
