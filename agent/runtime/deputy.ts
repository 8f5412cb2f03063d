import { checkBoolean, checkList, checkText, checkWhole, refuse } from "../../shared/checks.ts";
import type { CopiesOwed } from "../../shared/departure.ts";
import { checkDrillRequest, type DrillRequest, type RunningDrill } from "../../shared/drill.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { JobId, NodeId } from "../../shared/ids.ts";
import { checkLabels, type Labels } from "../../shared/labels.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import { checkAlias, checkModelName } from "../../shared/model.ts";
import { checkPipelineSource, type PipelineParts, type PipelineSource } from "../../shared/pipeline-registry.ts";
import { checkRule, type Rule } from "../../shared/rules.ts";
import { checkVerifyRequest, type VerifyRequest } from "../../shared/verification.ts";
import type { WantedModels } from "../../shared/wanted-models.ts";
import type { AgentFace } from "./face.ts";
import type { MeantModel } from "./model-names.ts";
import type { Peers } from "./peers.ts";
import type { Surroundings } from "./surroundings.ts";

const text = (value: unknown): string => checkText(value, "argument", LIMITS.nameBytesMax);
const value = (given: unknown): string => (typeof given === "string" ? given : refuse("value", "must be text"));

/** What the agent offers, and what its own parts need of the ledger. */
interface Callable extends AgentFace {
  copiesOwed(node: NodeId): Promise<CopiesOwed>;
  /** Null: none. */
  runningDrill(): Promise<RunningDrill | null>;
  /** Under this idempotency key, if there is one. */
  modelMeant(text: string, key: string | null): Promise<MeantModel>;
  pipelineParts(reference: string): Promise<PipelineParts>;
  modelsFor(node: NodeId, mark: string): Promise<WantedModels>;
}

/** What a member does for a node without the ledger: a new call is one line, which checks what it is given. */
const CALLS = {
  jobs: (): [] => [],
  job: ([jobId]: unknown[]): [JobId] => [text(jobId) as JobId],
  cancel: ([jobId]: unknown[]): [JobId] => [text(jobId) as JobId],
  pause: ([jobId, paused]: unknown[]): [JobId, boolean] => [text(jobId) as JobId, checkBoolean(paused, "paused")],
  why: ([jobId, shard, item]: unknown[]): [JobId, string | undefined, string | undefined] => [
    text(jobId) as JobId,
    shard === null ? undefined : text(shard),
    item === null ? undefined : text(item),
  ],
  explain: ([what, whyNot, whatIf]: unknown[]): [string, string | undefined, string[]] => [
    text(what),
    whyNot === null ? undefined : text(whyNot),
    checkList(whatIf, "whatIf", LIMITS.whatIfsMax, text),
  ],
  forget: ([jobId]: unknown[]): [JobId] => [text(jobId) as JobId],
  results: ([jobId]: unknown[]): [JobId] => [text(jobId) as JobId],
  receipt: ([jobId]: unknown[]): [JobId] => [text(jobId) as JobId],
  verify: ([jobId, request]: unknown[]): [JobId, VerifyRequest] => [text(jobId) as JobId, checkVerifyRequest(request)],
  drainNode: ([node, drained]: unknown[]): [string, boolean] => [text(node), checkBoolean(drained, "drained")],
  labelNode: ([node, labels]: unknown[]): [string, Labels] => [text(node), checkLabels(labels)],
  transferLeader: ([node]: unknown[]): [string | undefined] => [node === null ? undefined : text(node)],
  copiesOwed: ([node]: unknown[]): [NodeId] => [text(node) as NodeId],
  removeNode: ([node]: unknown[]): [string] => [text(node)],
  invite: ([validForMs]: unknown[]): [number] => [checkWhole(validForMs, "validForMs", 1, TIMING.inviteMsMax)],
  settings: (): [] => [],
  setting: ([name]: unknown[]): [string] => [text(name)],
  rules: (): [] => [],
  addRule: ([rule]: unknown[]): [Rule] => [checkRule(rule)],
  removeRule: ([rule]: unknown[]): [string] => [text(rule)],
  placement: (): [] => [],
  startDrill: ([request]: unknown[]): [DrillRequest] => [checkDrillRequest(request)],
  drills: (): [] => [],
  drill: ([drillId]: unknown[]): [string] => [text(drillId)],
  runningDrill: (): [] => [],
  modelMeant: ([said, key]: unknown[]): [string, string | null] => [text(said), key === null ? null : text(key)],
  pipelines: (): [] => [],
  pipeline: ([pipeline]: unknown[]): [string] => [text(pipeline)],
  checkPipeline: ([source]: unknown[]): [PipelineSource] => [checkPipelineSource(source)],
  addPipeline: ([source]: unknown[]): [PipelineSource] => [checkPipelineSource(source)],
  removePipeline: ([pipeline, force]: unknown[]): [string, boolean] => [text(pipeline), checkBoolean(force, "force")],
  pipelineParts: ([pipeline]: unknown[]): [string] => [text(pipeline)],
  models: (): [] => [],
  model: ([model]: unknown[]): [string] => [text(model)],
  removeModel: ([model, force]: unknown[]): [string, boolean] => [text(model), checkBoolean(force, "force")],
  aliasModel: ([name, alias, version]: unknown[]): [string, string, number] => [
    checkModelName(name),
    checkAlias(alias),
    checkWhole(version, "version", 0),
  ],
  modelsFor: ([node, mark]: unknown[]): [NodeId, string] => [text(node) as NodeId, value(mark)],
  setSetting: ([name, given]: unknown[]): [string, string] => [text(name), value(given)],
} satisfies { [C in keyof Callable]?: (given: unknown[]) => unknown[] };

export type LedgerCall = keyof typeof CALLS;
type Arguments<C extends LedgerCall> = ReturnType<(typeof CALLS)[C]>;
type Outcome<C extends LedgerCall> = Awaited<ReturnType<Callable[C]>>;
export type LedgerCalls = { [C in LedgerCall]: (...given: Arguments<C>) => Promise<Outcome<C>> };

export interface DeputyInit {
  /** After a start: until then this node does not know what its own ledger says. */
  loaded: Promise<void>;
  holdsLedger: () => boolean;
  own: LedgerCalls;
  /** Whom to ask, best first. */
  members: () => NodeId[];
}

/** The peer could not have done anything, or another can do it better. */
const ELSEWHERE = ["NOT_A_MEMBER", "PEER_UNREACHABLE", "PEER_BUSY"];
/** It may have been done. */
const UNCERTAIN = ["PEER_UNREACHABLE", "DEADLINE_EXCEEDED"];
/** Done twice, with another's between, they would undo that one. */
const ONCE: readonly LedgerCall[] = ["setSetting", "startDrill", "aliasModel"];
/** Longer than what a member itself waits for at most. */
const DEADLINE_MS = TIMING.proposalDeadlineMs + TIMING.requestDeadlineMs;
/** A member reads whole disks for some. */
const DEADLINES_MS: Partial<Record<LedgerCall, number>> = { verify: TIMING.verifyDeadlineMs };
/** An answer that nobody fetches to its end is forgotten. */
const KEPT_MS = 10_000;

/**
 * Calls that need the ledger: answered here where it is, and by a member for whoever has none. The member's answer is
 * passed on as it is; nothing on this node is done because of it.
 */
export class Deputy {
  readonly #world: Surroundings;
  readonly #peers: Peers;
  readonly #init: DeputyInit;
  readonly #kept = new Map<string, Uint8Array>();

  constructor(world: Surroundings, peers: Peers, init: DeputyInit) {
    this.#world = world;
    this.#peers = peers;
    this.#init = init;
    peers.answer("deputy", async (_from, { call, argumentsJson, ticket, offset }) =>
      ticket ? this.#piece(ticket, offset) : this.#answer(call, argumentsJson),
    );
  }

  get answersKept(): number {
    return this.#kept.size;
  }

  /** @throws what the call throws; NO_LEADER if no member can be asked. */
  async call<C extends LedgerCall>(call: C, ...given: Arguments<C>): Promise<Outcome<C>> {
    await this.#init.loaded;
    if (this.#init.holdsLedger()) return (await this.#ownAnswer(call, given)) as Outcome<C>;
    for (const member of this.#init.members()) {
      try {
        return JSON.parse(new TextDecoder().decode(await this.#fetch(member, call, given))) as Outcome<C>;
      } catch (error) {
        if (error instanceof SyntaxError)
          throw new SkeinError("FRAME_INVALID", { peer: member, reason: error.message });
        const fault = SkeinError.from(error);
        if (UNCERTAIN.includes(fault.code) && ONCE.includes(call))
          throw new SkeinError("OUTCOME_UNKNOWN", { reason: fault.message });
        if (!ELSEWHERE.includes(fault.code)) throw fault;
        this.#world.telemetry.log("debug", "deputyRefused", { call, member, reason: fault.message });
      }
    }
    throw new SkeinError("NO_LEADER");
  }

  /** Of one node and no other: what only it knows. @throws NOT_A_MEMBER, PEER_UNREACHABLE, or what the call throws there */
  async callAt<C extends LedgerCall>(node: NodeId, call: C, ...given: Arguments<C>): Promise<Outcome<C>> {
    return JSON.parse(new TextDecoder().decode(await this.#fetch(node, call, given))) as Outcome<C>;
  }

  async #fetch(member: NodeId, call: LedgerCall, given: unknown[]): Promise<Uint8Array> {
    const argumentsJson = JSON.stringify(given);
    const first = { call, argumentsJson, ticket: "", offset: 0 };
    const { ticket, piece, bytes } = await this.#peers.ask(member, "deputy", first, {
      deadlineMs: DEADLINES_MS[call] ?? DEADLINE_MS,
    });
    if (piece.length >= bytes) return piece;
    const whole = new Uint8Array(bytes);
    whole.set(piece);
    for (let offset = piece.length; offset < bytes; ) {
      const next = await this.#peers.ask(member, "deputy", { call, argumentsJson: "[]", ticket, offset });
      if (next.piece.length === 0 || offset + next.piece.length > bytes)
        throw new SkeinError("FRAME_INVALID", { peer: member, reason: "a piece of its answer does not fit" });
      whole.set(next.piece, offset);
      offset += next.piece.length;
    }
    return whole;
  }

  async #answer(call: string, argumentsJson: string): Promise<{ ticket: string; piece: Uint8Array; bytes: number }> {
    await this.#init.loaded;
    if (!this.#init.holdsLedger()) throw new SkeinError("NOT_A_MEMBER", { peer: this.#peers.self });
    if (!Object.hasOwn(CALLS, call)) throw new SkeinError("BAD_REQUEST", { reason: `${call} is no call for a deputy` });
    const given = CALLS[call as LedgerCall](listFrom(argumentsJson));
    const answer = new TextEncoder().encode(JSON.stringify(await this.#ownAnswer(call as LedgerCall, given)));
    const { length } = answer;
    if (length > LIMITS.deputyAnswerBytesMax)
      throw new SkeinError("TOO_LARGE", {
        what: `The answer to ${call}`,
        actual: length,
        limit: LIMITS.deputyAnswerBytesMax,
      });
    if (length <= LIMITS.deputyPieceBytes) return { ticket: "", piece: answer, bytes: length };
    return this.#piece(this.#keep(answer), 0);
  }

  #ownAnswer(call: LedgerCall, given: unknown[]): Promise<unknown> {
    return (this.#init.own[call] as (...given: unknown[]) => Promise<unknown>).apply(this.#init.own, given);
  }

  #keep(answer: Uint8Array): string {
    const ticket = this.#world.randomness.token(16);
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size >= LIMITS.deputyAnswersKept) this.#kept.delete(oldest);
    this.#kept.set(ticket, answer);
    this.#world.clock.after(KEPT_MS, () => this.#kept.delete(ticket));
    return ticket;
  }

  #piece(ticket: string, offset: number): { ticket: string; piece: Uint8Array; bytes: number } {
    const answer = this.#kept.get(ticket);
    // Another member answers it anew.
    if (!answer)
      throw new SkeinError("PEER_BUSY", { peer: this.#peers.self, reason: "it no longer keeps that answer" });
    const piece = answer.subarray(offset, offset + LIMITS.deputyPieceBytes);
    if (offset + piece.length >= answer.length) this.#kept.delete(ticket);
    return { ticket, piece, bytes: answer.length };
  }
}

function listFrom(json: string): unknown[] {
  try {
    const list: unknown = JSON.parse(json);
    if (Array.isArray(list)) return list;
  } catch {
    // Falls through: not JSON is as wrong as JSON of another shape.
  }
  return refuse("arguments", "must be a JSON list");
}
