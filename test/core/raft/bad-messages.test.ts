/** What a peer may send without harming anyone: nonsense of every kind. */
import { describe, expect, test } from "vitest";
import type { NodeId } from "../../../shared/ids.ts";
import type { RaftEntry, RaftMessage, RaftMessageType } from "../../../shared/raft.ts";
import { decodeRaftMessage, encodeRaftMessage } from "../../../shared/wire/raft.ts";
import {
  bytes,
  Cluster,
  configuration,
  confOf,
  entriesOf,
  idOf,
  type Member,
  makeCandidate,
  makeLeader,
  memberOf,
  messageOf,
  normal,
  randomFrom,
} from "./cluster.ts";

const leads = (): Member => {
  const member = memberOf(3, [1, 1]);
  makeLeader(member, 3);
  return member;
};
const stands = (): Member => {
  const member = memberOf(3, [1, 1]);
  makeCandidate(member, 3);
  return member;
};
const follows = (): Member => {
  const member = memberOf(3, [1, 1], { term: 2 });
  member.raft.step(messageOf("heartbeat", 2, 1, { term: 2 }));
  member.settle();
  return member;
};
const ROLES: [string, () => Member][] = [
  ["leader", leads],
  ["candidate", stands],
  ["follower", follows],
];
const essence = ({ raft }: Member) => {
  const { term, vote, role, commit, lastIndex, conf } = raft.status();
  return { term, vote, role, commit, lastIndex, conf };
};

const append = (fields: Partial<RaftMessage>) =>
  messageOf("appendRequest", 2, 1, { term: 9, index: 3, logTerm: 1, ...fields });
const snapshot = (fields: object) =>
  messageOf("snapshot", 2, 1, {
    term: 9,
    snapshot: { index: 50, term: 2, conf: confOf({ voters: [1, 2] }), data: bytes(""), ...fields },
  });
const NONSENSE: [string, RaftMessage][] = [
  ["for another node", { ...append({}), to: idOf(3) }],
  ["from itself", { ...append({}), from: idOf(1) }],
  ["from nobody", { ...append({}), from: "" as NodeId }],
  ["with a term that is not a number", append({ term: Number.NaN })],
  ["with a negative term", append({ term: -1 })],
  ["with half a term", append({ term: 2.5 })],
  ["with a term no fleet will reach", append({ term: 2 ** 50 })],
  ["with a term that leaps further than a fleet can have gone", append({ term: 2 ** 40 })],
  ["with an index beyond reason", append({ index: 2 ** 52 })],
  ["with a commit index beyond reason", append({ commit: 2 ** 52 })],
  ["with a hint that is not a number", append({ rejectHint: Number.POSITIVE_INFINITY })],
  ["with a log term after its own term", append({ logTerm: 10 })],
  ["with a gap in its entries", append({ entries: [normal(4, 2), normal(6, 2)] })],
  ["with entries that do not follow its index", append({ entries: [normal(5, 2)] })],
  ["with terms that go back", append({ entries: [normal(4, 3), normal(5, 2)] })],
  ["with an entry of a later term than its own", append({ entries: [normal(4, 10)] })],
  ["with an entry before its log term", append({ logTerm: 2, entries: [normal(4, 1)] })],
  ["with a term for the entry before the first", append({ index: 0, logTerm: 1 })],
  ["with a configuration without voters", append({ entries: [configuration(4, 2, confOf({ voters: [] }))] })],
  [
    "with a node that is voter and learner",
    append({ entries: [configuration(4, 2, confOf({ voters: [1], learners: [1] }))] }),
  ],
  [
    "with a configuration that is noise",
    append({ entries: [{ ...normal(4, 2, "\u0007noise"), kind: "configuration" }] }),
  ],
  ["without its snapshot", messageOf("snapshot", 2, 1, { term: 9 })],
  ["with a snapshot of nothing", snapshot({ index: 0 })],
  ["with a snapshot of a later term", snapshot({ term: 10 })],
  ["with a snapshot whose members cannot be", snapshot({ conf: confOf({ voters: [1, 1] }) })],
  ["that is a heartbeat with entries", messageOf("heartbeat", 2, 1, { term: 9, entries: entriesOf([1], 1) })],
  ["of a type that does not exist", { ...append({}), type: "gossip" as RaftMessageType }],
];

describe.each(ROLES)("a %s takes no notice of a message", (_role, make) => {
  test.each(NONSENSE)("%s", (_what, message) => {
    const member = make();
    const before = essence(member);
    member.raft.step(message);
    member.raft.assertSound();
    expect(essence(member)).toEqual(before);
  });
});

describe("within its own term", () => {
  test("a leader takes no notice of another who says it leads", () => {
    const member = leads();
    const before = essence(member);
    for (const type of ["appendRequest", "heartbeat"] as const)
      member.raft.step(messageOf(type, 3, 1, { term: 2, index: 1, logTerm: 1, commit: 3 }));
    expect(essence(member)).toEqual(before);
  });

  test("a follower takes no notice of a second leader", () => {
    const member = follows();
    const before = essence(member);
    member.raft.step(
      messageOf("appendRequest", 3, 1, { term: 2, index: 3, logTerm: 1, entries: [normal(4, 2)], commit: 4 }),
    );
    expect(essence(member)).toEqual(before);
    expect(member.raft.status().leader).toBe(idOf(2));
  });

  test("a leader does not believe an acknowledgement of entries it does not have", () => {
    const member = leads();
    for (const n of [2, 3]) member.raft.step(messageOf("appendResponse", n, 1, { term: 2, index: 999 }));
    member.raft.assertSound();
    expect(member.raft.status().commit).toBe(1);
  });

  test("a candidate counts no vote twice and none of strangers", () => {
    const member = memberOf(5);
    makeCandidate(member, 5);
    const { term } = member.raft.status();
    for (const n of [2, 2, 2, 8, 9]) member.raft.step(messageOf("voteResponse", n, 1, { term }));
    expect(member.raft.status().role).toBe("candidate");
  });
});

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
    () => withEntry(() => ({ kind: pick("normal", "configuration") })),
  ];
  return { ...message, ...pick(...mutations)() };
}

test("mutated conversations never make a node throw, break its invariants, or see a term that nobody reached", () => {
  const seed = Date.now() % 1_000_000;
  const random = randomFrom(seed);
  const endAtMs = performance.now() + 2_000;
  let rounds = 0;
  for (; performance.now() < endAtMs; rounds += 1) {
    const cluster = Cluster.of(3);
    cluster.elect(1);
    const real: RaftMessage[] = [...cluster.delivered];
    cluster.filter = (message) => {
      real.push(message);
      return true;
    };
    for (let at = 0; at < 20; at += 1) {
      const leader = cluster.leader() ?? 1;
      cluster.raft(leader).propose(bytes(`${at}`));
      if (at === 10)
        cluster.raft(leader).proposeConfChange({ steps: [{ kind: "addLearner", node: idOf(4) }], transition: "auto" });
      cluster.settle();
      const terms = [1, 2, 3].map((n) => cluster.raft(n).status().term);
      const mutant = mutate(real[Math.floor(random() * real.length)]!, random);
      const target = cluster.members.get([1, 2, 3][Math.floor(random() * 3)]!)!;
      target.raft.step({ ...mutant, to: idOf(target.n) });
      target.raft.assertSound();
      const { term } = target.raft.status();
      // Only a request that could be real may lead to an election, and that moves the term by one.
      expect(term, `seed ${seed}, round ${rounds}`).toBeLessThanOrEqual(Math.max(...terms, mutant.term) + 1);
      target.settle();
    }
  }
  expect(rounds).toBeGreaterThan(0);
});

test("mutated bytes are refused by the decoder or taken by the core without harm", () => {
  const seed = Date.now() % 1_000_000;
  const random = randomFrom(seed);
  const cluster = Cluster.of(3);
  cluster.elect(1);
  cluster.propose(1, "x");
  const frames = cluster.delivered.map((message) => encodeRaftMessage(message));
  const member = follows();
  let decoded = 0;
  for (let at = 0; at < 20_000; at += 1) {
    const frame = Uint8Array.from(frames[Math.floor(random() * frames.length)]!);
    for (let flips = 1 + random() * 3; flips > 0; flips -= 1)
      frame[Math.floor(random() * frame.length)] = Math.floor(random() * 256);
    let message: RaftMessage;
    try {
      message = decodeRaftMessage(frame);
    } catch (error) {
      expect(error, `seed ${seed}`).toMatchObject({ code: "FRAME_INVALID" });
      continue;
    }
    decoded += 1;
    member.raft.step(message);
    member.raft.assertSound();
    member.settle();
  }
  expect(decoded).toBeGreaterThan(0);
});
