/**
 * Feeds a node what a broken disk, link or peer might send. `node test/core/raft/fuzz.ts [--frames N] [--seed S]` does it
 * for as long as one wants; a failure names its seed.
 */
import { isDeepStrictEqual, parseArgs } from "node:util";
import type { RaftStatus } from "../../../agent/core/raft/index.ts";
import { messageFault } from "../../../agent/core/raft/messages.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { RaftEntry, RaftMessage } from "../../../shared/raft.ts";
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

/** Changes one thing in a well-formed message, as a bad disk, a bad link or a bad peer might. */
function mutate(message: RaftMessage, random: () => number): RaftMessage {
  const pick = <T>(...items: T[]): T => items[Math.floor(random() * items.length)]!;
  const number = (near: number): number =>
    pick(0, 1, near + 1, Math.max(0, near - 1), near + 1_000, 2 ** 31, 2 ** 48, 2 ** 53, -1, Number.NaN, near + 0.5);
  const { entries } = message;
  const withEntry = (change: (entry: RaftEntry) => Partial<RaftEntry>): Partial<RaftMessage> => {
    const chosen = Math.floor(random() * entries.length);
    return { entries: entries.map((entry, at) => (at === chosen ? { ...entry, ...change(entry) } : entry)) };
  };
  const mutations: (() => Partial<RaftMessage>)[] = [
    () => ({ index: number(message.index) }),
    () => ({ logTerm: number(message.logTerm) }),
    () => ({ commit: number(message.commit) }),
    () => ({ rejectHint: number(message.rejectHint) }),
    () => ({ reject: !message.reject }),
    () => ({ electionTicks: number(message.electionTicks) }),
    () => ({
      type: pick(
        "appendRequest",
        "appendResponse",
        "heartbeat",
        "voteRequest",
        "snapshot",
        "timeoutNow",
        "readIndex",
        "readIndexResponse",
      ),
    }),
    () => ({ from: idOf(Math.floor(random() * 9)) }),
    () => ({ context: new Uint8Array(Math.floor(random() * 12)) }),
    () => ({ entries: entries.slice(1) }),
    () => ({ entries: [...entries, ...entries] }),
    () => withEntry((entry) => ({ index: number(entry.index) })),
    () => withEntry((entry) => ({ term: number(entry.term) })),
    () => withEntry(() => ({ kind: pick("normal", "configuration", "digest") })),
  ];
  return { ...message, ...pick(...mutations)() };
}

/** After so many mutants a fleet, or a node, starts anew: what was done to it should not hide what comes next. */
const MUTANTS_PER_LIFE = 40;

/** Steps mutants of real messages into a living fleet. Returns how many. @throws Error with the seed */
export function fuzzMessages(seed: number, mutants: number): number {
  const random = randomFrom(seed);
  let done = 0;
  try {
    while (done < mutants) done += fuzzFleet(random, Math.min(MUTANTS_PER_LIFE, mutants - done));
  } catch (error) {
    throw new Error(`seed ${seed}, after ${done} mutants`, { cause: error });
  }
  return done;
}

function fuzzFleet(random: () => number, mutants: number): number {
  const cluster = Cluster.of(3);
  cluster.elect(1);
  const real: RaftMessage[] = [...cluster.delivered];
  cluster.filter = (message) => real.push(message) > 0;
  for (let at = 0; at < mutants; at += 1) {
    const leader = cluster.raft(cluster.leader() ?? 1);
    leader.propose(bytes(`${at}`));
    if (at === 10) leader.proposeConfChange({ steps: [{ kind: "addLearner", node: idOf(4) }], transition: "auto" });
    cluster.settle();
    const terms = [1, 2, 3].map((n) => cluster.raft(n).status().term);
    const mutant = mutate(real[Math.floor(random() * real.length)]!, random);
    const target = cluster.at(1 + Math.floor(random() * 3));
    target.raft.step({ ...mutant, to: idOf(target.n) });
    target.raft.assertSound();
    // Only a request that could be real may lead to an election, and that moves the term by one.
    const { term } = target.raft.status();
    if (term > Math.max(...terms, mutant.term) + 1) throw new Error(`node ${target.n} went to term ${term}`);
    target.settle();
  }
  return mutants;
}

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
    // What the frames before did to it should not hide what comes next.
    if (random() * MUTANTS_PER_LIFE < 1) members.delete(role);
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

/** More than this in use at the end than after the first quarter is a leak, and no rubbish. */
const HEAP_GROWTH_BYTES_MAX = 64 * 1024 * 1024;

if (import.meta.main) {
  const { values } = parseArgs({
    options: { frames: { type: "string", default: "1000000" }, seed: { type: "string" } },
  });
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  const startedAtMs = performance.now();
  const parts = 20;
  const total: FramesOutcome = { refused: 0, ignored: 0, taken: 0, believed: 0 };
  const heapBytes: number[] = [];
  for (let part = 0; part < parts; part += 1) {
    const outcome = fuzzFrames(seed + part, Math.ceil(Number(values.frames) / parts));
    for (const key of Object.keys(total) as (keyof FramesOutcome)[]) total[key] += outcome[key];
    heapBytes.push(process.memoryUsage().heapUsed);
  }
  const mutants = fuzzMessages(seed, Math.ceil(Number(values.frames) / 10));
  const growthBytes = Math.min(...heapBytes.slice(-5)) - Math.max(...heapBytes.slice(0, 5));
  console.log(
    `seed ${seed}: ${total.refused} frames refused by the decoder, ${total.ignored} by the core, ${total.taken} taken for a ` +
      `sound peer's (${total.believed} of them said a newer term or handed over, and alone moved a term), ${mutants} mutants ` +
      `stepped into living fleets, heap ${Math.round(growthBytes / 2 ** 20)} MiB, ${Math.round((performance.now() - startedAtMs) / 1_000)} s`,
  );
  process.exit(growthBytes > HEAP_GROWTH_BYTES_MAX ? 1 : 0);
}
