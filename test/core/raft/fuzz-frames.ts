/** Spoiled frames for the decoder, and for nodes of every role what it lets through. */
import { isDeepStrictEqual } from "node:util";
import type { RaftStatus } from "../../../agent/core/raft/index.ts";
import { messageFault } from "../../../agent/core/raft/messages.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { RaftMessage } from "../../../shared/raft.ts";
import { decodeRaftMessage, encodeRaftMessage } from "../../../shared/wire/raft.ts";
import {
  addLearner,
  bytes,
  Cluster,
  confOf,
  hears,
  idOf,
  type Member,
  makeCandidate,
  makeLeader,
  memberOf,
  messageOf,
  randomFrom,
} from "./cluster.ts";

/** After so many frames a node starts anew: what was done to it should not hide what comes next. */
const FRAMES_PER_LIFE = 40;

const ROLES = ["follower", "candidate", "leader"] as const;

/** Somebody in the middle of a life, in term 2. */
function somebody(role: (typeof ROLES)[number]): Member {
  const member = memberOf(3, [1, 1]);
  if (role === "follower") hears(member, messageOf("heartbeat", 2, 1, { term: 2 }));
  else if (role === "candidate") makeCandidate(member, 3);
  else makeLeader(member, 3);
  return member;
}

/** Real messages of a fleet of three in every phase of its life, all of them to node 1 as far as its id goes. */
function realMessages(): RaftMessage[] {
  const cluster = Cluster.of(3);
  cluster.elect(1);
  cluster.propose(1, "x");
  cluster.change(1, addLearner(4));
  cluster.tickAll(2);
  cluster.raft(1).transferLeadership(idOf(2));
  cluster.settle();
  const snapshot = { index: 5, term: 2, conf: confOf({ voters: [1, 2, 3] }), data: bytes("state") };
  const all = [...cluster.delivered, messageOf("snapshot", 2, 1, { term: 2, snapshot })];
  return all.map((message) => ({ ...message, to: idOf(1), from: message.from === idOf(1) ? idOf(2) : message.from }));
}

/** Where the ids of sender and receiver end in a frame. */
const IDS_END = 4 + 2 * (2 + 52);

/** A frame as a bad disk, link or peer might make of it: bytes changed, cut off, put in, or said twice. */
function spoil(frame: Uint8Array, random: () => number): Uint8Array {
  const below = (count: number): number => Math.floor(random() * count);
  const at = below(frame.length);
  const kind = below(6);
  if (kind === 0) return frame.slice(0, at);
  if (kind === 1) return Uint8Array.from([...frame.slice(0, at), below(256), below(256), ...frame.slice(at)]);
  if (kind === 2) return Uint8Array.from([...frame, ...frame.slice(at)]);
  const spoiled = Uint8Array.from(frame);
  // Most of a frame are two ids, and a changed id says little: mostly what stands behind them is hit.
  for (let flips = 1 + below(3); flips > 0; flips -= 1)
    spoiled[below(6) === 0 ? below(frame.length) : IDS_END + below(frame.length - IDS_END)] = below(256);
  return spoiled;
}

export interface FramesOutcome {
  /** The decoder said no. */
  refused: number;
  /** The core took no notice: what it says cannot come from a sound peer. */
  ignored: number;
  /** Came out as something that a sound peer may say. */
  taken: number;
  /** Of these, a newer term or the own leader's wish to hand over, which anyone must believe. */
  believed: number;
}

/**
 * Hands spoiled frames to the decoder, and what it lets through to nodes of every role. None may throw, make a node grow
 * or say more than an answer; and none may move its term or vote, save what a sound peer might have sent just so.
 * @throws Error with the seed
 */
export function fuzzFrames(seed: number, count: number): FramesOutcome {
  const random = randomFrom(seed);
  const frames = realMessages().map(encodeRaftMessage);
  const outcome: FramesOutcome = { refused: 0, ignored: 0, taken: 0, believed: 0 };
  const members = new Map<string, Member>();
  for (let at = 0; at < count; at += 1) {
    const message = decode(spoil(frames[Math.floor(random() * frames.length)]!, random), seed);
    if (!message) {
      outcome.refused += 1;
      continue;
    }
    const role = ROLES[at % ROLES.length]!;
    const member = members.get(role) ?? somebody(role);
    if (random() * FRAMES_PER_LIFE < 1) members.delete(role);
    else members.set(role, member);
    try {
      outcome[stepSpoiled(member, message)] += 1;
    } catch (error) {
      throw new Error(`seed ${seed}, frame ${at}: ${JSON.stringify(message)}`, { cause: error });
    }
    if (member.raft.status().term !== 2) {
      members.delete(role);
      outcome.believed += 1;
    }
  }
  return outcome;
}

function stepSpoiled(member: Member, message: RaftMessage): "ignored" | "taken" {
  const before = member.raft.status();
  member.raft.step(message);
  member.raft.assertSound();
  const sent = member.settle();
  const after = member.raft.status();
  const mayMove = isNews(message, before);
  if (!mayMove && (after.term !== before.term || after.vote !== before.vote))
    throw new Error(
      `${before.role} went from term ${before.term} to ${after.term}, vote ${before.vote} to ${after.vote}`,
    );
  const growth = Math.max(message.entries.length, (message.snapshot?.index ?? 0) - before.lastIndex);
  if (after.lastIndex > Math.max(before.lastIndex, message.index) + growth + 1) throw new Error("its log grew");
  if (sent.length > ANSWERS_MAX) throw new Error(`it answered with ${sent.length} messages`);
  if (messageFault(message, idOf(1)) === undefined) return "taken";
  if (!isDeepStrictEqual(after, before)) throw new Error("it took notice of what cannot be");
  return "ignored";
}

/** A leader that is given an answer may send one round to everyone, and commit and say so. */
const ANSWERS_MAX = 12;

/** What a sound message may move: a newer term, or an election that the own leader asks for. */
function isNews(message: RaftMessage, { term, leader, role }: RaftStatus): boolean {
  if (messageFault(message, idOf(1)) !== undefined) return false;
  const { type } = message;
  const asks = type === "preVoteRequest" || (type === "preVoteResponse" && !message.reject);
  if (message.term > term) return !asks;
  return message.term === term && type === "timeoutNow" && role === "follower" && leader === message.from;
}

function decode(frame: Uint8Array, seed: number): RaftMessage | undefined {
  try {
    return decodeRaftMessage(frame);
  } catch (error) {
    if (error instanceof SkeinError && error.code === "FRAME_INVALID") return undefined;
    throw new Error(`seed ${seed}: the decoder threw something else`, { cause: error });
  }
}
