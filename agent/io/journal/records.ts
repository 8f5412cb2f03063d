import { crc32 } from "node:zlib";
import { SkeinError } from "../../../shared/errors.ts";
import type { HardState, RaftEntry, RaftSnapshot } from "../../../shared/raft.ts";
import {
  decodeEntry,
  decodeHardState,
  decodeSnapshot,
  encodeHardState,
  encodeSnapshot,
} from "../../../shared/wire/raft.ts";

/*
 * Three kinds of records. LevelDB checks its blocks on recovery but not when it reads a table, so each value carries a
 * checksum of its own, and the checksum of an entry runs on from that of the entry before it: an entry that is missing,
 * out of place or left over from an overwritten tail breaks the chain. The tip is written with every commit and says
 * what the rest must be, so a vote cannot go back while later entries survive.
 *
 *   entry/<index, 16 digits>   chain (4 bytes) · RaftEntry (protobuf)
 *   snapshot                   crc32 (4) · RaftSnapshot (protobuf)
 *   tip                        crc32 (4) · version (1) · sequence (8) · base index (8) · base term (8) · base chain (4)
 *                              · last index (8) · last chain (4) · HardState (protobuf)
 */
export const tipKey = "tip";
export const snapshotKey = "snapshot";
const ENTRY_PREFIX = "entry/";
const TIP_VERSION = 1;
const TIP_BYTES = 1 + 8 + 8 + 8 + 4 + 8 + 4;

/** 16 digits hold every safe integer, so that the order of keys is the order of indexes. */
export const entryKey = (index: number): string => ENTRY_PREFIX + String(index).padStart(16, "0");
export const isEntryKey = (key: string): boolean => key.startsWith(ENTRY_PREFIX);

/** Where the entries begin: the snapshot's place, or zero. */
export interface Base {
  index: number;
  term: number;
  /** Running checksum up to here: that of the entry at `index` if the journal ever held it, else 0. */
  chain: number;
}

export interface Tip {
  sequence: number;
  base: Base;
  lastIndex: number;
  lastChain: number;
  hardState: HardState;
}

/** Why a journal cannot be trusted. */
export class Damage extends Error {}

export function damagedUnless(holds: unknown, reason: string): asserts holds {
  if (!holds) throw new Damage(reason);
}

export function sealEntry(chain: number, payload: Uint8Array): Uint8Array {
  const value = new Uint8Array(4 + payload.length);
  new DataView(value.buffer).setUint32(0, chain);
  value.set(payload, 4);
  return value;
}

/** The entry, its running checksum as written, and the bytes it was made of. */
export function openEntry(key: string, value: Uint8Array): { entry: RaftEntry; chain: number; payload: Uint8Array } {
  damagedUnless(value.length > 4, `${key} is cut short`);
  const payload = value.subarray(4);
  const entry = decoded(key, () => decodeEntry(payload));
  damagedUnless(entryKey(entry.index) === key, `${key} holds entry ${entry.index}`);
  return { entry: { ...entry, data: plainBytes(entry.data) }, chain: viewOf(value).getUint32(0), payload };
}

export const sealSnapshot = (snapshot: RaftSnapshot): Uint8Array => seal(encodeSnapshot(snapshot));

export function openSnapshot(value: Uint8Array): RaftSnapshot {
  const snapshot = decoded(snapshotKey, () => decodeSnapshot(unseal(snapshotKey, value)));
  return { ...snapshot, data: plainBytes(snapshot.data) };
}

export function sealTip(tip: Tip): Uint8Array {
  const hardState = encodeHardState(tip.hardState);
  const bytes = new Uint8Array(TIP_BYTES + hardState.length);
  const view = viewOf(bytes);
  view.setUint8(0, TIP_VERSION);
  view.setBigUint64(1, BigInt(tip.sequence));
  view.setBigUint64(9, BigInt(tip.base.index));
  view.setBigUint64(17, BigInt(tip.base.term));
  view.setUint32(25, tip.base.chain);
  view.setBigUint64(29, BigInt(tip.lastIndex));
  view.setUint32(37, tip.lastChain);
  bytes.set(hardState, TIP_BYTES);
  return seal(bytes);
}

export function openTip(value: Uint8Array): Tip {
  const bytes = unseal(tipKey, value);
  damagedUnless(bytes.length >= TIP_BYTES, "the tip is cut short");
  const view = viewOf(bytes);
  damagedUnless(
    view.getUint8(0) === TIP_VERSION,
    `its version is ${view.getUint8(0)}; this agent knows ${TIP_VERSION}`,
  );
  return {
    sequence: Number(view.getBigUint64(1)),
    base: { index: Number(view.getBigUint64(9)), term: Number(view.getBigUint64(17)), chain: view.getUint32(25) },
    lastIndex: Number(view.getBigUint64(29)),
    lastChain: view.getUint32(37),
    hardState: decoded("the hard state", () => decodeHardState(bytes.subarray(TIP_BYTES))),
  };
}

function seal(payload: Uint8Array): Uint8Array {
  return sealEntry(crc32(payload), payload);
}

function unseal(key: string, value: Uint8Array): Uint8Array {
  damagedUnless(value.length >= 4, `the ${key} is cut short`);
  const payload = value.subarray(4);
  damagedUnless(crc32(payload) === viewOf(value).getUint32(0), `the ${key} does not match its checksum`);
  return payload;
}

function decoded<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    const reason = error instanceof SkeinError ? String(error.facts.reason) : String(error);
    throw new Damage(`${what} does not decode: ${reason}`);
  }
}

/** protobufjs hands out Buffers, whose `slice` shares memory where a Uint8Array's copies. */
const plainBytes = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
