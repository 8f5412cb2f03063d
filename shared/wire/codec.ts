import type protobuf from "protobufjs";
import { SkeinError } from "../errors.ts";
import { type BlobHash, isNodeId, type NodeId } from "../ids.ts";
import { typeNamed } from "./schema.ts";

/** Decoded fields: absent repeated fields are empty, absent scalars zero, absent `optional` fields missing. */
export type Fields = Record<string, unknown>;

const OBJECT_SHAPE = { defaults: true, arrays: true, longs: Number, oneofs: true } as const;

export interface Codec {
  encode(fields: object): Uint8Array;
  /** @throws FRAME_INVALID */
  decode(bytes: Uint8Array): Fields;
}

export function codec(name: string): Codec {
  const type: protobuf.Type = typeNamed(name);
  return {
    // Fields have their types already, so they are not converted first: that took as long as the encoding itself.
    encode: (fields) => type.encode(fields).finish(),
    decode(bytes) {
      try {
        return type.toObject(type.decode(bytes), OBJECT_SHAPE) as Fields;
      } catch (error) {
        throw invalid(`${name} does not decode (${error instanceof Error ? error.message : String(error)})`);
      }
    },
  };
}

export const invalid = (reason: string): SkeinError => new SkeinError("FRAME_INVALID", { peer: "a peer", reason });

/** Numbers travel as doubles or 64-bit integers; only whole, safe, non-negative ones are counts and indexes. */
export function checkCount(value: unknown, what: string, max = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > max)
    throw invalid(`${what} is out of range`);
  return value as number;
}

export function checkFinite(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw invalid(`${what} is not a number`);
  return value;
}

export function checkText(value: unknown, what: string, bytesMax = 255): string {
  if (typeof value !== "string" || value.length > bytesMax)
    throw invalid(`${what} is not a text of at most ${bytesMax}`);
  return value;
}

export function checkNodeId(value: unknown, what: string): NodeId {
  if (!isNodeId(value)) throw invalid(`${what} is not a node id`);
  return value;
}

export function checkList<T>(value: unknown, what: string, max: number, each: (item: unknown) => T): T[] {
  if (!Array.isArray(value) || value.length > max) throw invalid(`${what} has more than ${max} members`);
  return value.map(each);
}

export const checkNodeIds = (value: unknown, what: string): NodeId[] =>
  checkList(value, what, 256, (id) => checkNodeId(id, what));

export function checkVersion(fields: Fields, known: number, what: string): void {
  if (fields.version !== known) throw invalid(`${what} has version ${fields.version}; this agent knows ${known}`);
}

/** A snapshot of the ledger holds hundreds of thousands of hashes. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Of a lower-case hex digit. */
function nibble(hash: string, at: number): number {
  const code = hash.charCodeAt(at);
  return code < 0x3a ? code - 0x30 : code - 0x57;
}

/** Hashes travel as their 32 bytes. */
export function hashToBytes(hash: BlobHash): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let i = 0; i < 32; i++) bytes[i] = (nibble(hash, 2 * i) << 4) | nibble(hash, 2 * i + 1);
  return bytes;
}

export function hashFromBytes(value: unknown, what: string): BlobHash {
  if (!(value instanceof Uint8Array) || value.length !== 32) throw invalid(`${what} is not a SHA-256`);
  let hash = "";
  for (let i = 0; i < 32; i++) hash += HEX[value[i]!]!;
  return hash as BlobHash;
}
