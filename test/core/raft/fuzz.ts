/**
 * Feeds a node what a broken disk, link or peer might send. `npm run fuzz -- [--frames N] [--seed S]` does it
 * for as long as one wants; a failure names its seed.
 */
import { parseArgs } from "node:util";
import type { RaftEntry, RaftMessage } from "../../../shared/raft.ts";
import { bytes, Cluster, idOf, randomFrom } from "./cluster.ts";
import { type FramesOutcome, fuzzFrames } from "./fuzz-frames.ts";

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

/** After so many mutants a fleet starts anew: what was done to it should not hide what comes next. */
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
