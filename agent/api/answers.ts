import { checkDrillRequest } from "../../shared/drill.ts";
import { checkFitRound } from "../../shared/fitting/wire.ts";
import type { JobId } from "../../shared/ids.ts";
import { checkAlias, checkModelName } from "../../shared/model.ts";
import { checkModelAddRequest, checkModelCheckRequest } from "../../shared/model-registry.ts";
import { checkPipelineSource } from "../../shared/pipeline-registry.ts";
import type { RouteName, RouteResponse } from "../../shared/routes.ts";
import { checkTuneRequest } from "../../shared/tuning.ts";
import { checkVerifyRequest } from "../../shared/verification.ts";
import type { AgentFace } from "../runtime/face.ts";
import {
  checkDrainRequest,
  checkForce,
  checkInviteRequest,
  checkJobSpec,
  checkLabelsRequest,
  checkLeaveRequest,
  checkModelAliasRequest,
  checkNothing,
  checkPauseRequest,
  checkRecoverRequest,
  checkRuleRequest,
  checkSettingRequest,
  checkTransferRequest,
} from "./check-bodies.ts";

interface Answer<N extends RouteName> {
  status: number;
  body: RouteResponse<N>;
}
type AnswerMaker<N extends RouteName> = (
  face: AgentFace,
  params: Record<string, string>,
  body: unknown,
) => Answer<N> | Promise<Answer<N>>;

const ok = <T>(body: T): { status: number; body: T } => ({ status: 200, body });
// An id that was never given out is simply unknown, so its form is not checked.
const jobIdOf = (params: Record<string, string>): JobId => params.jobId as JobId;

const readWhatIf = (text = ""): string[] =>
  text
    .split(";")
    .map((one) => one.trim())
    .filter((one) => one !== "");

/** What is called for each route of shared/routes.ts. The type makes a missing one a compile error. */
export const ANSWERS: { readonly [N in RouteName]: AnswerMaker<N> } = {
  health(face) {
    const health = face.health();
    return { status: health.state === "ready" ? 200 : 503, body: health };
  },
  fleet: (face) => ok(face.fleet()),
  nodes: (face) => ok(face.fleet().nodes),
  probe: async (face) => ok(await face.probe()),
  nodeRemove: async (face, params) => ok({ removed: await face.removeNode(params.node ?? "") }),
  nodeDrain: async (face, params, body) => ok(await face.drainNode(params.node ?? "", checkDrainRequest(body))),
  nodeLabels: async (face, params, body) => ok(await face.labelNode(params.node ?? "", checkLabelsRequest(body))),
  leaderTransfer: async (face, _params, body) => ok(await face.transferLeader(checkTransferRequest(body))),
  leave: async (face, _params, body) => ok(await face.leave(checkLeaveRequest(body))),
  recoveryView: async (face) => ok(await face.recoveryView()),
  recover: async (face, _params, body) => ok(await face.recover(checkRecoverRequest(body))),
  invite: async (face, _params, body) => ok(await face.invite(checkInviteRequest(body))),
  async jobSubmit(face, _params, body) {
    const answer = await face.submit(checkJobSpec(body));
    return { status: answer.existing ? 200 : 201, body: answer };
  },
  jobs: async (face) => ok(await face.jobs()),
  job: async (face, params) => ok(await face.job(jobIdOf(params))),
  async jobCancel(face, params, body) {
    checkNothing(body);
    return ok(await face.cancel(jobIdOf(params)));
  },
  jobPause: async (face, params, body) => ok(await face.pause(jobIdOf(params), checkPauseRequest(body))),
  jobWhy: async (face, params) =>
    ok(await face.why(jobIdOf(params), params.shard || undefined, params.item || undefined)),
  explain: async (face, params) =>
    ok(await face.explain(params.what ?? "", params.whyNot || undefined, readWhatIf(params.whatIf))),
  async jobForget(face, params, body) {
    checkNothing(body);
    return ok(await face.forget(jobIdOf(params)));
  },
  results: async (face, params) => ok(await face.results(jobIdOf(params))),
  receipt: async (face, params) => ok(await face.receipt(jobIdOf(params))),
  jobVerify: async (face, params, body) => ok(await face.verify(jobIdOf(params), checkVerifyRequest(body))),
  settings: async (face) => ok(await face.settings()),
  setting: async (face, params) => ok(await face.setting(params.name ?? "")),
  settingSet: async (face, params, body) =>
    ok(await face.setSetting(params.name ?? "", checkSettingRequest(params.name ?? "", body))),
  rules: async (face) => ok(await face.rules()),
  ruleAdd: async (face, _params, body) => ({ status: 201, body: await face.addRule(checkRuleRequest(body)) }),
  ruleRemove: async (face, params) => ok(await face.removeRule(params.rule ?? "")),
  placement: async (face) => ok(await face.placement()),
  async drillStart(face, _params, body) {
    const answer = await face.startDrill(checkDrillRequest(body));
    return { status: answer.drillId === undefined ? 200 : 201, body: answer };
  },
  drills: async (face) => ok(await face.drills()),
  drill: async (face, params) => ok(await face.drill(params.drillId ?? "")),
  tuneStart: (face, params, body) => ({ status: 202, body: face.tune(params.model ?? "", checkTuneRequest(body)) }),
  tune: (face, params) => ok(face.tuning(params.model ?? "")),
  models: async (face) => ok(await face.models()),
  modelCheck: async (face, _params, body) => ok(await face.checkModel(checkModelCheckRequest(body))),
  async modelAdd(face, _params, body) {
    const answer = await face.addModel(checkModelAddRequest(body));
    return { status: answer.step !== "added" ? 202 : answer.existing ? 200 : 201, body: answer };
  },
  model: async (face, params) => ok(await face.model(params.model ?? "")),
  async modelRemove(face, params, body) {
    checkNothing(body);
    return ok(await face.removeModel(params.model ?? "", checkForce(params.force)));
  },
  modelAlias: async (face, params, body) => {
    const [name, alias] = [checkModelName(params.model), checkAlias(params.alias)];
    return ok(await face.aliasModel(name, alias, checkModelAliasRequest(body)));
  },
  datasets: async (face) => ok(await face.datasets()),
  datasetRemove: async (face, params) => ok(await face.removeDataset(params.dataset ?? "")),
  fitPlaces: async (face, params) => ok(await face.fitPlaces(params.dataset ?? "")),
  fitRound: async (face, _params, body) => ok(await face.fitRound(checkFitRound(body))),
  pipelines: async (face) => ok(await face.pipelines()),
  pipelineCheck: async (face, _params, body) => ok(await face.checkPipeline(checkPipelineSource(body))),
  async pipelineAdd(face, _params, body) {
    const answer = await face.addPipeline(checkPipelineSource(body));
    return { status: answer.existing ? 200 : 201, body: answer };
  },
  pipeline: async (face, params) => ok(await face.pipeline(params.pipeline ?? "")),
  async pipelineRemove(face, params, body) {
    checkNothing(body);
    return ok(await face.removePipeline(params.pipeline ?? "", checkForce(params.force)));
  },
  stop(face, _params, body) {
    checkNothing(body);
    face.requestStop();
    return ok({ stopping: true });
  },
};
