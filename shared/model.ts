/** A model as the fleet knows it: an ONNX graph, the files that go with it, and what it takes and gives. */
import { fromBase64 } from "./base64.ts";
import { canonicalJson } from "./canonical-json.ts";
import {
  checkBoolean,
  checkKeys,
  checkList,
  checkOneOf,
  checkRecord,
  checkText,
  checkWhole,
  refuse,
} from "./checks.ts";
import { type BlobHash, isBlobHash } from "./ids.ts";
import { LIMITS } from "./limits.ts";

/** By the names of the Open Inference Protocol (KServe v2, required API: "Tensor Data Types"). */
export const DATATYPES = [
  ...["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"],
  ...["FP16", "FP32", "FP64", "BYTES"],
] as const;
export type Datatype = (typeof DATATYPES)[number];

export interface TensorSpec {
  name: string;
  datatype: Datatype;
  /** -1 where any length goes. */
  shape: number[];
}

/**
 * What a file is to the model. `graph`: the ONNX file that is run; `int8`: the same model with weights of eight bits;
 * `weights`: external data that a graph names.
 */
export const MODEL_FILE_USES = ["graph", "int8", "weights", "labels", "tokenizer", "other"] as const;

export interface ModelFile {
  /** Below the model's folder, with "/": as the graph names its external data. */
  path: string;
  blob: BlobHash;
  bytes: number;
  use: (typeof MODEL_FILE_USES)[number];
  /**
   * Of a file larger than blobPieceBytes: the SHA-256 of each of its pieces of that size, one after the other, in Base64.
   * With them a node that is still fetching serves what it has, and nobody takes a wrong piece. Without, only whole files
   * are fetched from.
   */
  pieces?: string;
}

/** SHA-256 of each piece of a file, in hex; undefined if the manifest does not say. */
export function pieceDigests({ bytes, pieces }: Pick<ModelFile, "bytes" | "pieces">): string[] | undefined {
  const digests = pieces === undefined ? undefined : fromBase64(pieces);
  if (!digests || digests.length !== Math.ceil(bytes / LIMITS.blobPieceBytes) * DIGEST_BYTES) return undefined;
  return Array.from({ length: digests.length / DIGEST_BYTES }, (_, i) =>
    Array.from(digests.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES), (byte) =>
      byte.toString(16).padStart(2, "0"),
    ).join(""),
  );
}
const DIGEST_BYTES = 32;

export interface ModelManifest {
  name: string;
  /** From 1; as in the Open Inference Protocol, where a version is a whole number in the path. */
  version: number;
  /** One graph, and whatever goes with it; in the order of their paths. */
  files: ModelFile[];
  inputs: TensorSpec[];
  outputs: TensorSpec[];
  /** The first dimension of every input and output is free, and rows do not touch one another: items may be run together. */
  batches: boolean;
}

const NAME = /^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$/;
/** Pipelines that come with the agent: no model may take their names. */
export const BUILT_IN = ["ocr", "canary"] as const;

/** `name:version`: what a model's pipeline is called. */
export const modelReference = ({ name, version }: Pick<ModelManifest, "name" | "version">): string =>
  `${name}:${version}`;

/** What people write of a model: a name, and the version or the alias behind a colon if there is one. @throws BAD_REQUEST */
export function readModelReference(text: string): { name: string; tag?: string } {
  if (!isModelReference(text))
    refuse("model", `must be NAME, NAME:VERSION or NAME:ALIAS, not ${JSON.stringify(text.slice(0, 80))}`);
  const [name = "", tag] = text.split(":");
  return { name, ...(tag !== undefined && { tag }) };
}

/** A pipeline of another kind may be called anything. */
export function isModelReference(text: string): boolean {
  const [name = "", tag, ...more] = text.split(":");
  return NAME.test(name) && more.length === 0 && tag !== "";
}

export function checkModelName(value: unknown, path = "name"): string {
  const name = checkText(value, path, 64);
  if (!NAME.test(name))
    refuse(path, `must be small letters, digits, dots, dashes and underscores, not ${JSON.stringify(name)}`);
  if ((BUILT_IN as readonly string[]).includes(name)) refuse(path, `"${name}" comes with the agent; take another`);
  return name;
}

/** An alias is a word: a number would be taken for a version. */
export function checkAlias(value: unknown, path = "alias"): string {
  const alias = checkText(value, path, 64);
  if (!NAME.test(alias) || /^\d+$/.test(alias)) refuse(path, `must be a word, not ${JSON.stringify(alias)}`);
  return alias;
}

/**
 * A manifest as it came from a client, a USB stick or a peer. @throws BAD_REQUEST with the field and the reason: a path that
 * leaves the model's folder, two files of one path, no graph or two.
 */
export function checkManifest(value: unknown): ModelManifest {
  const manifest = checkRecord(value, "manifest");
  checkKeys(manifest, "manifest", ["name", "version", "files", "inputs", "outputs", "batches"]);
  const files = checkList(manifest.files, "files", LIMITS.modelFilesMax, checkFile);
  for (const use of ["graph", "int8"] as const) {
    const count = files.filter((file) => file.use === use).length;
    if (use === "graph" ? count !== 1 : count > 1)
      refuse("files", `must have ${use === "graph" ? "one graph" : "one int8 graph at most"}, not ${count}`);
  }
  checkPathsApart(files.map(({ path }) => path));
  return {
    name: checkModelName(manifest.name),
    version: checkWhole(manifest.version, "version", 1, 1_000_000),
    files: files.sort((a, b) => (a.path < b.path ? -1 : 1)),
    inputs: checkList(manifest.inputs, "inputs", LIMITS.modelTensorsMax, checkTensorSpec),
    outputs: checkList(manifest.outputs, "outputs", LIMITS.modelTensorsMax, checkTensorSpec),
    batches: checkBoolean(manifest.batches, "batches"),
  };
}

function checkFile(value: unknown, at: string): ModelFile {
  const file = checkRecord(value, at);
  checkKeys(file, at, ["path", "blob", "bytes", "use", "pieces"]);
  if (!isBlobHash(file.blob)) refuse(`${at}.blob`, "must be a SHA-256 in 64 small hex digits");
  const bytes = checkWhole(file.bytes, `${at}.bytes`, 0, LIMITS.blobBytesMax);
  return {
    path: checkModelPath(file.path, `${at}.path`),
    blob: file.blob,
    bytes,
    use: checkOneOf(file.use, `${at}.use`, MODEL_FILE_USES),
    ...(file.pieces !== undefined && { pieces: checkPieces(file.pieces, bytes, `${at}.pieces`) }),
  };
}

/** No path twice, none that is another's folder; and none that a disk which takes A for a cannot tell from another. @throws BAD_REQUEST */
export function checkPathsApart(paths: readonly string[]): void {
  const seen = new Set<string>();
  for (const path of paths) {
    if (seen.has(path.toLowerCase()))
      refuse("files", `must name each path once, and not ${JSON.stringify(path)} again`);
    seen.add(path.toLowerCase());
  }
  for (const path of seen) {
    const parts = path.split("/");
    const folder = parts
      .slice(1)
      .map((_, i) => parts.slice(0, i + 1).join("/"))
      .find((one) => seen.has(one));
    if (folder !== undefined) refuse("files", `have ${JSON.stringify(folder)} as a file and as a folder`);
  }
}

function checkPieces(value: unknown, bytes: number, at: string): string {
  const pieces = checkText(value, at, LIMITS.manifestBytesMax);
  if (!pieceDigests({ bytes, pieces })) refuse(at, "must be a SHA-256 for each piece of the file, in Base64");
  return pieces;
}

/** A path that stays in the model's folder on every system. @throws BAD_REQUEST */
export function checkModelPath(value: unknown, at: string): string {
  const path = checkText(value, at, LIMITS.modelPathBytesMax);
  const parts = path.split("/");
  if (
    path.includes("\\") ||
    /^[a-z]:/i.test(path) ||
    parts.some((part) => part === "" || part === "." || part === "..")
  )
    refuse(at, `must stay inside the model's folder, not ${JSON.stringify(path)}`);
  return path;
}

function checkTensorSpec(value: unknown, at: string): TensorSpec {
  const tensor = checkRecord(value, at);
  checkKeys(tensor, at, ["name", "datatype", "shape"]);
  return {
    name: checkText(tensor.name, `${at}.name`, LIMITS.nameBytesMax),
    datatype: checkOneOf(tensor.datatype, `${at}.datatype`, DATATYPES),
    shape: checkList(tensor.shape, `${at}.shape`, 16, (one, path) => checkWhole(one, path, -1, 2 ** 31)),
  };
}

export const modelBytes = (manifest: Pick<ModelManifest, "files">): number =>
  manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);

/** What names a model's content, whatever it is called: hashed, it is the model's digest. */
export const modelStatement = ({ files }: Pick<ModelManifest, "files">): Uint8Array =>
  new TextEncoder().encode(canonicalJson(files.map(({ pieces: _, ...file }) => file)));
