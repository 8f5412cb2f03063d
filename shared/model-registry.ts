/** What is said between a client and the fleet about its models. */
import type { ModelState } from "./capacity.ts";
import { checkKeys, checkList, checkOneOf, checkRecord, checkWhole, refuse } from "./checks.ts";
import { type BlobHash, isBlobHash, type JobId, type NodeId } from "./ids.ts";
import { LIMITS } from "./limits.ts";
import {
  checkModelName,
  checkModelPath,
  checkPathsApart,
  MODEL_FILE_USES,
  type ModelManifest,
  type TensorSpec,
} from "./model.ts";
import type { UnsortedFile } from "./model-files.ts";
import type { ModelProfile } from "./model-profile.ts";

/** A file that was uploaded before, as a blob. */
export interface OfferedFile extends UnsortedFile {
  blob: BlobHash;
}

export interface ModelAddRequest {
  /** Default: after the graph's file. */
  name?: string;
  /** Default: the next that is free. */
  version?: number;
  files: OfferedFile[];
}

/** Asked before anything is uploaded. */
export type ModelCheckRequest = Omit<ModelAddRequest, "files"> & { files: UnsortedFile[] };

export interface ModelCheckAnswer {
  /** What loading takes, and what this box has for it. */
  memoryNeededBytes: number;
  memoryHereBytes: number;
}

export const MODEL_ADD_STEPS = ["waiting", "reading", "placing", "examining", "copying", "agreeing", "added"] as const;
export type ModelAddStep = (typeof MODEL_ADD_STEPS)[number];

/** How far the adding of a model is. Asked again with the same request until it is `added`; a failure is the answer's error. */
export interface ModelAddView {
  step: ModelAddStep;
  /** `name:version`, once it is added. */
  model?: string;
  /** The fleet had it already. */
  existing?: boolean;
}

/** A model as it is on one node. */
export interface ModelOnNode {
  nodeId: NodeId;
  name: string;
  /** By the placement in force. */
  placed: boolean;
  state?: ModelState["state"];
  /** Of `failed`. */
  reason?: string;
  /** Of its files, as folders for onnxruntime. */
  bytesHere?: number;
  itemsPerSecond?: number;
  profile?: ModelProfile;
}

export interface ModelView {
  /** `name:version` */
  model: string;
  name: string;
  version: number;
  digest: BlobHash;
  bytes: number;
  files: number;
  inputs: TensorSpec[];
  outputs: TensorSpec[];
  batches: boolean;
  aliases: string[];
  addedBy: string;
  addedAtMs: number;
  /** Names of the nodes that are recorded to hold every file, and how many shall. */
  holders: string[];
  copies: number;
  /** Where it is placed, or something is known of it. */
  nodes: ModelOnNode[];
}

export interface ModelDetail extends ModelView {
  manifest: ModelManifest;
  /** Open jobs that want it. */
  jobs: JobId[];
}

export interface ModelRemoval {
  removed: string;
  /** Jobs that were cancelled for it. */
  cancelled: JobId[];
}

/** @throws BAD_REQUEST */
export function checkModelAddRequest(body: unknown): ModelAddRequest {
  return checkOffer(body, LIMITS.blobBytesMax, (file, at, plain): OfferedFile => {
    if (!isBlobHash(file.blob)) refuse(`${at}.blob`, "must be a SHA-256 in 64 small hex digits");
    return { ...plain, blob: file.blob };
  });
}

/** Sizes are believed up to any: that they are too large is said with the figures. @throws BAD_REQUEST */
export const checkModelCheckRequest = (body: unknown): ModelCheckRequest =>
  checkOffer(body, 2 ** 50, (_file, _at, plain) => plain);

function checkOffer<F extends UnsortedFile>(
  body: unknown,
  bytesMax: number,
  more: (file: Record<string, unknown>, at: string, plain: UnsortedFile) => F,
): { name?: string; version?: number; files: F[] } {
  const record = checkRecord(body, "");
  checkKeys(record, "", ["name", "version", "files"]);
  const { name, version } = record;
  const files = checkList(record.files, "files", LIMITS.modelFilesMax, (value, at) => {
    const file = checkRecord(value, at);
    checkKeys(file, at, ["path", "blob", "bytes", "use"]);
    return more(file, at, {
      path: checkModelPath(file.path, `${at}.path`),
      bytes: checkWhole(file.bytes, `${at}.bytes`, 0, bytesMax),
      ...(file.use !== undefined && { use: checkOneOf(file.use, `${at}.use`, MODEL_FILE_USES) }),
    });
  });
  checkPathsApart(files.map(({ path }) => path));
  return {
    ...(name !== undefined && { name: checkModelName(name) }),
    ...(version !== undefined && { version: checkWhole(version, "version", 1, 1_000_000) }),
    files,
  };
}
