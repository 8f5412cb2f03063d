/** The HTTP API, written once: the server, the client, the CLI and the dashboard all derive from this table. */

import type { BoxView } from "./box.ts";
import type { DrainView, LeaveView } from "./departure.ts";
import type { DrillAnswer, DrillList, DrillRequest, DrillView } from "./drill.ts";
import type { Explanation } from "./explanation.ts";
import type { DatasetView } from "./fitting/dataset.ts";
import type { FitPlaces, FitRoundAnswer, FitRoundRequest } from "./fitting/wire.ts";
import type { FleetView, NodeView } from "./fleet.ts";
import type { BlobHash, JobId, NodeId } from "./ids.ts";
import type { JobSpec, JobView, Receipt, RecordedResult } from "./job.ts";
import type { Labels } from "./labels.ts";
import type {
  ModelAddRequest,
  ModelAddView,
  ModelCheckAnswer,
  ModelCheckRequest,
  ModelDetail,
  ModelRemoval,
  ModelView,
} from "./model-registry.ts";
import type {
  PipelineAddAnswer,
  PipelineCheckAnswer,
  PipelineDetail,
  PipelineRemoval,
  PipelineSource,
  PipelineView,
} from "./pipeline-registry.ts";
import type { PlacementView } from "./placement.ts";
import type { Plan } from "./plan.ts";
import type { RecoverAnswer, RecoverRequest, RecoveryView } from "./recovery.ts";
import type { Rule, RuleView } from "./rules.ts";
import type { Setting } from "./settings.ts";
import type { JobStory } from "./story.ts";
import type { TuneRequest, TuningView } from "./tuning.ts";
import type { VerifyPage, VerifyRequest } from "./verification.ts";

/** A line of the event stream: something that happened, seen from this node. */
export interface AgentEvent {
  /** Counts up within a life of the agent; a client that reconnects names the last one it saw (`Last-Event-ID`). */
  id: number;
  atMs: number;
  /** Past tense, e.g. `leaderChanged`, `jobSubmitted`, `shardTakenBack`, `resultRecorded`, `nodeGone`. */
  event: string;
  facts: Record<string, unknown>;
}

/** What people say of a node. */
export interface LabelsView {
  nodeId: NodeId;
  name: string;
  labels: Labels;
}

/** A job was taken in. */
export interface SubmitAnswer {
  jobId: JobId;
  /** It was submitted before under this key. */
  existing: boolean;
  /** What the name that was given came to. */
  pipeline: string;
  /** No node runs it yet: the job waits until the model is placed. */
  waitsForModel?: true;
}

export interface InviteAnswer {
  token: string;
  expiresAtMs: number;
}

export interface Health {
  ok: boolean;
  nodeId: NodeId;
  name: string;
  /** "starting" until the executors are warm and the roster is known. */
  state: "starting" | "ready";
  hasLeader: boolean;
  hasQuorum: boolean;
}

export interface ResultsPage {
  job: JobView;
  results: RecordedResult[];
}

/** Leases and plan, from the leader; `plan` is absent before the first wave and after a change of leader until re-planned. */
export interface JobDetail {
  job: JobView;
  plan?: Plan;
}

interface RouteTypes {
  health: { params: []; request: undefined; response: Health };
  fleet: { params: []; request: undefined; response: FleetView };
  nodes: { params: []; request: undefined; response: NodeView[] };
  probe: { params: []; request: undefined; response: BoxView };
  nodeRemove: { params: ["node"]; request: undefined; response: { removed: NodeId } };
  nodeDrain: { params: ["node"]; request: { drained: boolean }; response: DrainView };
  nodeLabels: { params: ["node"]; request: { labels: Labels }; response: LabelsView };
  leaderTransfer: { params: []; request: { node?: string }; response: { leader: NodeId; term: number } };
  leave: { params: []; request: { force?: boolean }; response: LeaveView };
  recoveryView: { params: []; request: undefined; response: RecoveryView };
  recover: { params: []; request: RecoverRequest; response: RecoverAnswer };
  invite: { params: []; request: { validForMs?: number }; response: InviteAnswer };
  jobSubmit: { params: []; request: JobSpec; response: SubmitAnswer };
  jobs: { params: []; request: undefined; response: JobView[] };
  job: { params: ["jobId"]; request: undefined; response: JobDetail };
  jobCancel: { params: ["jobId"]; request: undefined; response: JobView };
  jobPause: { params: ["jobId"]; request: { paused: boolean }; response: JobView };
  /** An empty shard or item: of the whole job. */
  jobWhy: { params: ["jobId", "shard", "item"]; request: undefined; response: JobStory };
  /** An empty node or change: not asked. Several changes are joined by ";". */
  explain: { params: ["what", "whyNot", "whatIf"]; request: undefined; response: Explanation };
  jobForget: { params: ["jobId"]; request: undefined; response: { forgotten: JobId } };
  results: { params: ["jobId"]; request: undefined; response: ResultsPage };
  receipt: { params: ["jobId"]; request: undefined; response: Receipt };
  jobVerify: { params: ["jobId"]; request: VerifyRequest; response: VerifyPage };
  settings: { params: []; request: undefined; response: Setting[] };
  setting: { params: ["name"]; request: undefined; response: Setting };
  settingSet: { params: ["name"]; request: { value: string }; response: Setting };
  rules: { params: []; request: undefined; response: RuleView[] };
  ruleAdd: { params: []; request: { rule: Rule }; response: RuleView };
  ruleRemove: { params: ["rule"]; request: undefined; response: RuleView };
  placement: { params: []; request: undefined; response: PlacementView };
  drillStart: { params: []; request: DrillRequest; response: DrillAnswer };
  drills: { params: []; request: undefined; response: DrillList };
  drill: { params: ["drillId"]; request: undefined; response: DrillView };
  tuneStart: { params: ["model"]; request: TuneRequest; response: TuningView };
  tune: { params: ["model"]; request: undefined; response: TuningView };
  models: { params: []; request: undefined; response: ModelView[] };
  modelCheck: { params: []; request: ModelCheckRequest; response: ModelCheckAnswer };
  modelAdd: { params: []; request: ModelAddRequest; response: ModelAddView };
  model: { params: ["model"]; request: undefined; response: ModelDetail };
  /** `force` is `true`, or empty. */
  modelRemove: { params: ["model", "force"]; request: undefined; response: ModelRemoval };
  modelAlias: {
    params: ["model", "alias"];
    request: { version: number };
    response: { alias: string; version: number };
  };
  datasets: { params: []; request: undefined; response: DatasetView[] };
  datasetRemove: { params: ["dataset"]; request: undefined; response: { removed: string } };
  fitPlaces: { params: ["dataset"]; request: undefined; response: FitPlaces };
  fitRound: { params: []; request: FitRoundRequest; response: FitRoundAnswer };
  pipelines: { params: []; request: undefined; response: PipelineView[] };
  pipelineCheck: { params: []; request: PipelineSource; response: PipelineCheckAnswer };
  pipelineAdd: { params: []; request: PipelineSource; response: PipelineAddAnswer };
  pipeline: { params: ["pipeline"]; request: undefined; response: PipelineDetail };
  /** `force` is `true`, or empty. */
  pipelineRemove: { params: ["pipeline", "force"]; request: undefined; response: PipelineRemoval };
  stop: { params: []; request: undefined; response: { stopping: true } };
}

export type RouteName = keyof RouteTypes;
export type RouteParams<N extends RouteName> = RouteTypes[N]["params"];
export type RouteRequest<N extends RouteName> = RouteTypes[N]["request"];
export type RouteResponse<N extends RouteName> = RouteTypes[N]["response"];

interface Route {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** `:name` marks a parameter; behind a `?`, one of the query, which may be left out. */
  path: string;
  says: string;
}

export const ROUTES: { readonly [N in RouteName]: Route } = {
  health: { method: "GET", path: "/v1/health", says: "is this agent up; 200 once ready, 503 before" },
  fleet: { method: "GET", path: "/v1/fleet", says: "what this node believes of the fleet" },
  nodes: { method: "GET", path: "/v1/nodes", says: "the nodes alone" },
  probe: {
    method: "GET",
    path: "/v1/probe",
    says: "what this box is, and where each fact was read from; takes seconds",
  },
  nodeRemove: { method: "DELETE", path: "/v1/nodes/:node", says: "takes a node (id or name) out of the fleet" },
  nodeDrain: {
    method: "POST",
    path: "/v1/nodes/:node/drain",
    says: "empties a node (id or name) or takes that back, and tells how far it is; may be asked again and again",
  },
  nodeLabels: {
    method: "PUT",
    path: "/v1/nodes/:node/labels",
    says: "what people say of a node (id or name), in the place of what was said before",
  },
  leaderTransfer: {
    method: "POST",
    path: "/v1/leader",
    says: "hands the leadership to a node (id or name), or to the best successor",
  },
  leave: {
    method: "POST",
    path: "/v1/leave",
    says: "takes this node out of the fleet as soon as nothing is lost by it; asked again until it has left",
  },
  recoveryView: { method: "GET", path: "/v1/recovery", says: "what recovering without a quorum would do" },
  recover: { method: "POST", path: "/v1/recovery", says: "goes on without the missing, from this node's log" },
  invite: { method: "POST", path: "/v1/invites", says: "a one-time token for `skein join`" },
  jobSubmit: {
    method: "POST",
    path: "/v1/jobs",
    says: "submits a job, and of a pipeline how it is `cut`: auto, whole or stages; 201, or 200 with the first job of the same key",
  },
  jobs: { method: "GET", path: "/v1/jobs", says: "all jobs, newest first" },
  job: { method: "GET", path: "/v1/jobs/:jobId", says: "one job and its plan" },
  jobCancel: { method: "POST", path: "/v1/jobs/:jobId/cancel", says: "stops handing out what is left of a job" },
  jobPause: {
    method: "POST",
    path: "/v1/jobs/:jobId/pause",
    says: "hands out nothing more of a job, or goes on with it; what runs ends",
  },
  jobWhy: {
    method: "GET",
    path: "/v1/jobs/:jobId/why?shard=:shard&item=:item",
    says: "why a job, one of its shards (as 7.2) or one of its items (name, or number from 0) went as it did",
  },
  explain: {
    method: "GET",
    path: "/v1/explain/:what?whyNot=:whyNot&whatIf=:whatIf",
    says: "why a job (id) was split as it was, where a model (name) stands and why, or what a node (name) was given",
  },
  jobForget: {
    method: "POST",
    path: "/v1/jobs/:jobId/forget",
    says: "lets go of an ended job, its inputs and its results",
  },
  results: {
    method: "GET",
    path: "/v1/jobs/:jobId/results",
    says: "what is recorded so far, in the order of the inputs",
  },
  receipt: { method: "GET", path: "/v1/jobs/:jobId/receipt", says: "who computed what, and where the copies are" },
  jobVerify: {
    method: "POST",
    path: "/v1/jobs/:jobId/verify",
    says: "reads every copy back where it lies, checks every signature, computes a sample again; some items a call",
  },
  settings: { method: "GET", path: "/v1/settings", says: "every setting, as the fleet has agreed by now" },
  setting: { method: "GET", path: "/v1/settings/:name", says: "one setting; its value is empty if it is not set" },
  settingSet: {
    method: "PUT",
    path: "/v1/settings/:name",
    says: "sets a value for every box; an empty one takes it away",
  },
  rules: { method: "GET", path: "/v1/rules", says: "what people ask of the planner" },
  ruleAdd: {
    method: "POST",
    path: "/v1/rules",
    says: "a rule more (201); refused with the smallest set that contradicts it",
  },
  ruleRemove: { method: "DELETE", path: "/v1/rules/:rule", says: "takes a rule back" },
  placement: {
    method: "GET",
    path: "/v1/placement",
    says: "where each model stands, how that was decided, and how far it is",
  },
  drillStart: {
    method: "POST",
    path: "/v1/drills",
    says: "begins a rehearsal of faults on this fleet (201), or tells what it would do (200)",
  },
  drills: { method: "GET", path: "/v1/drills", says: "the rehearsal that runs, and what the last ones showed" },
  drill: { method: "GET", path: "/v1/drills/:drillId", says: "how a rehearsal goes, or what it showed" },
  tuneStart: {
    method: "POST",
    path: "/v1/tune/:model",
    says: "begins to search how a model (`name:version`, or `ocr/det`, `ocr/rec`, `ocr/cls`) is best run on this node",
  },
  tune: { method: "GET", path: "/v1/tune/:model", says: "how the search goes, and what it gained" },
  models: { method: "GET", path: "/v1/models", says: "every version of every model, and where it stands" },
  modelCheck: {
    method: "POST",
    path: "/v1/models/check",
    says: "whether this box may take such a model in, by names and sizes, before anything is uploaded",
  },
  modelAdd: {
    method: "POST",
    path: "/v1/models",
    says: "takes in a model whose files were uploaded, or tells how far that is: asked again until it is added (201; 200 if it was there, 202 before)",
  },
  model: { method: "GET", path: "/v1/models/:model", says: "one model: name, name:version or name:alias" },
  modelRemove: {
    method: "DELETE",
    path: "/v1/models/:model?force=:force",
    says: "takes a model away, unless open jobs want it; with force=true they are cancelled",
  },
  modelAlias: {
    method: "PUT",
    path: "/v1/models/:model/aliases/:alias",
    says: "what name:alias means from now on; version 0 takes it away",
  },
  datasets: {
    method: "GET",
    path: "/v1/datasets",
    says: "labelled vectors on this box: their shape, never their rows",
  },
  datasetRemove: { method: "DELETE", path: "/v1/datasets/:dataset", says: "deletes a data set of this box" },
  fitPlaces: { method: "GET", path: "/v1/fits/:dataset", says: "which boxes have rows of a data set" },
  fitRound: {
    method: "POST",
    path: "/v1/fits",
    says: "one round of training a head, on every box that has rows; only weights travel",
  },
  pipelines: { method: "GET", path: "/v1/pipelines", says: "every version of every pipeline" },
  pipelineCheck: {
    method: "POST",
    path: "/v1/pipelines/check",
    says: "whether the fleet would take this pipeline, as `text` (YAML or JSON) or as `definition`, and what it comes to",
  },
  pipelineAdd: {
    method: "POST",
    path: "/v1/pipelines",
    says: "adds a pipeline, as `text` (YAML or JSON) or as `definition` (201; 200 if it was there); refused with every fault and its line",
  },
  pipeline: {
    method: "GET",
    path: "/v1/pipelines/:pipeline",
    says: "one pipeline, its definition and its stages in order: name (the newest) or name:version",
  },
  pipelineRemove: {
    method: "DELETE",
    path: "/v1/pipelines/:pipeline?force=:force",
    says: "takes a pipeline away, unless open jobs or other pipelines want it; with force=true the jobs are cancelled",
  },
  stop: { method: "POST", path: "/v1/stop", says: "stops this agent in order" },
};

/** Not JSON, so not in the table above. */
export const RAW_ROUTES = {
  /** PUT: bytes in, 201 (or 200 if it was there); GET: bytes out from whichever node holds them; HEAD: is it on this node. */
  blob: (hash: BlobHash | ":hash") => `/v1/blobs/${hash}`,
  /** POST: an input in, what the fleet makes of it out, now; recorded nowhere. `x-skein-input` names the input in messages. */
  /** PUT: JSON lines in, onto this box's disk. */
  dataset: (name: string) => `/v1/datasets/${name}`,
  infer: (pipeline: string) => `/v1/pipelines/${pipeline}/infer`,
  /** POST: many small blobs in, as shared/blob-bundle.ts writes them; 200 once all of them are durable. */
  blobs: "/v1/blobs",
  /** Server-sent events, each `data:` an AgentEvent. */
  events: "/v1/events",
  dashboard: "/",
} as const;
