/** Bodies from clients, checked before anyone believes them. */
import {
  checkBoolean,
  checkFileName,
  checkKeys,
  checkList,
  checkOneOf,
  checkRecord,
  checkText,
  checkWhole,
  refuse,
} from "../../shared/checks.ts";
import { SkeinError } from "../../shared/errors.ts";
import { isBlobHash, isNodeId, type NodeId } from "../../shared/ids.ts";
import { JOB_CUTS, JOB_PRIORITIES, type JobInput, type JobSpec } from "../../shared/job.ts";
import { checkLabels, type Labels } from "../../shared/labels.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import type { RecoverRequest } from "../../shared/recovery.ts";
import { checkRule, type Rule } from "../../shared/rules.ts";
import { settingFault } from "../../shared/settings.ts";

/** @throws BAD_REQUEST, NO_INPUTS, TOO_LARGE */
export function checkJobSpec(body: unknown): JobSpec {
  const record = checkRecord(body, "");
  checkKeys(record, "", ["pipeline", "inputs", "idempotencyKey", "priority", "copies", "deadlineInMs", "cut"]);
  const pipeline = checkText(record.pipeline, "pipeline", LIMITS.nameBytesMax);
  if (!Array.isArray(record.inputs)) refuse("inputs", "must be a list");
  if (record.inputs.length === 0) throw new SkeinError("NO_INPUTS", { where: "The job" });
  if (record.inputs.length > LIMITS.jobItemsMax) {
    const actual = `${record.inputs.length} inputs`;
    throw new SkeinError("TOO_LARGE", { what: "The job", actual, limit: LIMITS.jobItemsMax });
  }
  const inputs = checkList(record.inputs, "inputs", LIMITS.jobItemsMax, checkInput);
  refuseRepeatedNames(inputs);
  const { idempotencyKey, priority, copies, deadlineInMs, cut } = record;
  return {
    pipeline,
    inputs,
    ...(idempotencyKey === undefined
      ? {}
      : { idempotencyKey: checkText(idempotencyKey, "idempotencyKey", LIMITS.nameBytesMax) }),
    ...(priority === undefined ? {} : { priority: checkOneOf(priority, "priority", JOB_PRIORITIES) }),
    ...(copies === undefined ? {} : { copies: checkWhole(copies, "copies", 1, LIMITS.copiesMax) }),
    ...(deadlineInMs === undefined
      ? {}
      : { deadlineInMs: checkWhole(deadlineInMs, "deadlineInMs", 1, LIMITS.jobDeadlineMsMax) }),
    ...(cut === undefined ? {} : { cut: checkOneOf(cut, "cut", JOB_CUTS) }),
  };
}

function checkInput(value: unknown, path: string): JobInput {
  const record = checkRecord(value, path);
  checkKeys(record, path, ["name", "blob", "bytes"]);
  const { blob } = record;
  if (!isBlobHash(blob)) refuse(`${path}.blob`, "must be a SHA-256 as 64 lower-case hex digits");
  return {
    name: checkFileName(record.name, `${path}.name`, LIMITS.nameBytesMax),
    blob,
    bytes: checkWhole(record.bytes, `${path}.bytes`, 0, LIMITS.blobBytesMax),
  };
}

function refuseRepeatedNames(inputs: readonly JobInput[]): void {
  const seen = new Set<string>();
  for (const [i, { name }] of inputs.entries()) {
    if (seen.has(name)) refuse(`inputs[${i}].name`, `repeats ${JSON.stringify(name)}; names are unique within a job`);
    seen.add(name);
  }
}

const INVITE_MS_MIN = 1_000;

/** Milliseconds an invitation shall live; undefined for the default. @throws BAD_REQUEST */
export function checkInviteRequest(body: unknown): number | undefined {
  const record = checkRecord(body ?? {}, "");
  checkKeys(record, "", ["validForMs"]);
  if (record.validForMs === undefined) return undefined;
  return checkWhole(record.validForMs, "validForMs", INVITE_MS_MIN, TIMING.inviteMsMax);
}

/** The value that shall be set under this name. @throws BAD_REQUEST */
export function checkSettingRequest(name: string, body: unknown): string {
  const record = checkRecord(body, "");
  checkKeys(record, "", ["value"]);
  if (typeof record.value !== "string") refuse("value", "must be text");
  const reason = settingFault(name, record.value);
  if (reason) throw new SkeinError("BAD_REQUEST", { reason });
  return record.value;
}

/** @throws BAD_REQUEST */
export function checkDrainRequest(body: unknown): boolean {
  const record = checkRecord(body, "");
  checkKeys(record, "", ["drained"]);
  return checkBoolean(record.drained, "drained");
}

/** @throws BAD_REQUEST */
export function checkPauseRequest(body: unknown): boolean {
  const record = checkRecord(body, "");
  checkKeys(record, "", ["paused"]);
  return checkBoolean(record.paused, "paused");
}

/** What stands behind the `?`, for a route that names such parameters; the others never looked at it. @throws BAD_REQUEST */
export function checkQuery(query: unknown, path: string): Record<string, string> {
  const [, named] = path.split("?");
  if (named === undefined) return {};
  const record = checkRecord(query, "");
  const known = [...named.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  checkKeys(record, "", known);
  const texts = Object.entries(record).map(([name, value]) => [name, checkText(value, name, LIMITS.nameBytesMax, 0)]);
  return Object.fromEntries(texts);
}

export function checkLabelsRequest(body: unknown): Labels {
  const record = checkRecord(body, "");
  checkKeys(record, "", ["labels"]);
  return checkLabels(record.labels);
}

/** The node to lead; undefined for the best there is. @throws BAD_REQUEST */
export function checkTransferRequest(body: unknown): string | undefined {
  const record = checkRecord(body ?? {}, "");
  checkKeys(record, "", ["node"]);
  return record.node === undefined ? undefined : checkText(record.node, "node", LIMITS.nameBytesMax);
}

/** Whether to leave without waiting. @throws BAD_REQUEST */
export function checkLeaveRequest(body: unknown): boolean {
  const record = checkRecord(body ?? {}, "");
  checkKeys(record, "", ["force"]);
  return record.force !== undefined && checkBoolean(record.force, "force");
}

/** @throws BAD_REQUEST */
export const checkForce = (force: string | undefined): boolean =>
  checkOneOf(force ?? "", "force", ["", "false", "true"]) === "true";

/** The version that an alias shall mean; 0 for none. @throws BAD_REQUEST */
export function checkModelAliasRequest(body: unknown): number {
  const record = checkRecord(body, "");
  checkKeys(record, "", ["version"]);
  return checkWhole(record.version, "version", 0, 1_000_000);
}

/** @throws BAD_REQUEST */
export function checkRecoverRequest(body: unknown): RecoverRequest {
  const record = checkRecord(body, "");
  checkKeys(record, "", ["fleetName", "missing"]);
  return {
    fleetName: checkText(record.fleetName, "fleetName", LIMITS.nameBytesMax),
    missing: checkList(record.missing, "missing", LIMITS.nodesMax, (value, path): NodeId => {
      if (!isNodeId(value)) refuse(path, "must be a node id");
      return value;
    }),
  };
}

/** @throws BAD_REQUEST */
export function checkRuleRequest(body: unknown): Rule {
  const record = checkRecord(body, "");
  checkKeys(record, "", ["rule"]);
  return checkRule(record.rule);
}

/** @throws BAD_REQUEST for anything but no body or an empty object. */
export function checkNothing(body: unknown): void {
  if (body !== undefined && body !== null) checkKeys(checkRecord(body, ""), "", []);
}
