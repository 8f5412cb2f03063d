/**
 * As much of an ONNX file (onnx.proto: ModelProto) as says which other files it needs. Read by its headers, with the weights
 * skipped: a file may be larger than this box's memory, which is why no reader of whole messages does.
 */
import { LIMITS } from "./limits.ts";

/** Bytes from `offset` on, as many as asked for unless the file ends. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

type Kind = "model" | "function" | "graph" | "node" | "attribute" | "tensor" | "sparseTensor" | "external";

/** Where a tensor may be, by the field numbers of onnx.proto. */
const WITHIN: Record<Kind, Record<number, Kind>> = {
  model: { 7: "graph", 25: "function" },
  function: { 7: "node" },
  graph: { 1: "node", 5: "tensor", 15: "sparseTensor" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparseTensor", 23: "sparseTensor" },
  tensor: { 13: "external" },
  sparseTensor: { 1: "tensor", 2: "tensor" },
  external: {},
};
const IR_VERSION = 1;
const GRAPH = 7;
/** Of a StringStringEntryProto. */
const [KEY, VALUE] = [1, 2];

/** A tag and a length, each a varint of at most ten bytes. */
const HEAD_BYTES = 20;
const WINDOW_BYTES = 64 * 1024;
/** Graphs within graphs (If, Loop, Scan) deeper than any that is run: each is three messages. */
const DEPTH_MAX = 64;
/** Fields looked at: some ten a node, of the largest graphs that are run; more is no graph but an attempt to keep this busy. */
const FIELDS_MAX = 20_000_000;

class NotOnnx extends Error {}

/**
 * Files that hold the weights of this graph, as it names them.
 * @returns undefined if it is no ONNX file, or names more files than a model may have.
 */
export async function externalDataOf(read: ReadAt, bytes: number): Promise<string[] | undefined> {
  const walk = new Walk(read, bytes);
  try {
    await walk.message("model", 0, bytes, 0);
  } catch (error) {
    if (error instanceof NotOnnx) return undefined;
    throw error;
  }
  return walk.isModel ? [...walk.locations] : undefined;
}

class Walk {
  readonly locations = new Set<string>();
  readonly #read: ReadAt;
  readonly #bytes: number;
  readonly #topLevel = new Set<number>();
  #window = new Uint8Array();
  #windowAt = 0;
  #fields = 0;

  constructor(read: ReadAt, bytes: number) {
    this.#read = read;
    this.#bytes = bytes;
  }

  /** What every model has. Most other bytes do not come this far. */
  get isModel(): boolean {
    return this.#topLevel.has(IR_VERSION) && this.#topLevel.has(GRAPH);
  }

  async message(kind: Kind, from: number, to: number, depth: number): Promise<void> {
    if (depth > DEPTH_MAX) throw new NotOnnx();
    let key = "";
    for (let at = from; at < to; ) {
      const field = await this.#field(at, to);
      at = field.to;
      if (kind === "model") this.#topLevel.add(field.number);
      const within = WITHIN[kind][field.number];
      if (within && field.isBytes) await this.message(within, field.from, field.to, depth + 1);
      if (kind === "external" && field.number === KEY) key = await this.#text(field.from, field.to);
      if (kind === "external" && field.number === VALUE && key === "location")
        this.locations.add(await this.#text(field.from, field.to));
      if (this.locations.size > LIMITS.modelFilesMax) throw new NotOnnx();
    }
  }

  /** Where the content of the field at `at` begins and ends. */
  async #field(at: number, end: number): Promise<{ number: number; isBytes: boolean; from: number; to: number }> {
    if (++this.#fields > FIELDS_MAX) throw new NotOnnx();
    const head = await this.#at(at, Math.min(HEAD_BYTES, end - at));
    const tag = varint(head, 0);
    const number = Math.floor(tag.value / 8);
    const [isNumber, isFixed64, isBytes, isFixed32] = [0, 1, 2, 5].map((wire) => tag.value % 8 === wire);
    const from = at + tag.length;
    let to = from;
    if (isNumber) to = from + varint(head, tag.length).length;
    else if (isFixed64) to = from + 8;
    else if (isFixed32) to = from + 4;
    else if (!isBytes) throw new NotOnnx();
    if (!isBytes) return this.#inside({ number, isBytes: false, from, to }, end);
    const length = varint(head, tag.length);
    const begin = from + length.length;
    return this.#inside({ number, isBytes: true, from: begin, to: begin + length.value }, end);
  }

  #inside<F extends { number: number; to: number }>(field: F, end: number): F {
    if (field.number === 0 || field.to > end) throw new NotOnnx();
    return field;
  }

  async #text(from: number, to: number): Promise<string> {
    if (to - from > LIMITS.modelPathBytesMax) throw new NotOnnx();
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(await this.#at(from, to - from));
    } catch {
      throw new NotOnnx();
    }
  }

  async #at(offset: number, length: number): Promise<Uint8Array> {
    const isHere = offset >= this.#windowAt && offset + length <= this.#windowAt + this.#window.length;
    if (!isHere) {
      this.#window = new Uint8Array(await this.#read(offset, Math.min(WINDOW_BYTES, this.#bytes - offset)));
      this.#windowAt = offset;
    }
    return this.#window.subarray(offset - this.#windowAt, offset - this.#windowAt + length);
  }
}

function varint(bytes: Uint8Array, from: number): { value: number; length: number } {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[from + i];
    if (byte === undefined) throw new NotOnnx();
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, length: i + 1 };
  }
  throw new NotOnnx();
}
