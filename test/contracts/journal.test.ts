/** What agent/ports/journal.ts promises, held against the real journal and the simulator's. */
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../agent/io/clock/index.ts";
import { openJournal } from "../../agent/io/journal/index.ts";
import type { Journal, JournalBatch, JournalContents } from "../../agent/ports/index.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { RaftEntry, RaftSnapshot } from "../../shared/raft.ts";
import { PretendJournal, withBatch } from "../support/pretend-journal.ts";
import { fillDisk, freeDisk, silent, smallDisk, temporaryFolder } from "../support/small-disk.ts";
import { seededRandomness, VirtualClock } from "../support/virtual-clock.ts";

/** One disk that outlives its journals. */
interface Disk {
  open(): Promise<Journal>;
  setFull(isFull: boolean): Promise<void>;
}

const MAKERS: { name: string; make: () => Promise<Disk>; makeSmall: () => Promise<Disk | string> }[] = [
  {
    name: "the journal on LevelDB",
    make: async () => realDisk(await temporaryFolder()),
    makeSmall: async () => {
      const disk = await smallDisk(48);
      return "path" in disk ? realDisk(disk.path) : disk.reason;
    },
  },
  { name: "the pretend journal", make: async () => pretendDisk(), makeSmall: async () => pretendDisk() },
];

function realDisk(path: string): Disk {
  return {
    open: () => openJournal(`${path}/journal`, { telemetry: silent }),
    setFull: (isFull) => (isFull ? fillDisk(path, 4) : freeDisk(path)),
  };
}

function pretendDisk(): Disk {
  const disk = new PretendJournal(systemClock, () => 0);
  return {
    open: async () => disk.open(),
    setFull: async (isFull) => {
      disk.isFull = isFull;
    },
  };
}

const VOTE = "12D3KooWAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" as NodeId;

const entry = (index: number, term: number, text = `entry ${index} of term ${term}`): RaftEntry => ({
  index,
  term,
  kind: index % 5 === 0 ? "configuration" : "normal",
  data: new TextEncoder().encode(text),
});

const entries = (from: number, to: number, term: number): RaftEntry[] =>
  Array.from({ length: to - from + 1 }, (_, offset) => entry(from + offset, term));

const snapshot = (index: number, term: number): RaftSnapshot => ({
  index,
  term,
  conf: { voters: [VOTE], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false, witnesses: [] },
  data: new TextEncoder().encode(`everything up to ${index}`),
});

const NOTHING: JournalContents = { hardState: { term: 0, vote: "", commit: 0 }, entries: [] };
const outcomeOf = (...batches: JournalBatch[]): JournalContents => batches.reduce(withBatch, NOTHING);

describe.each(MAKERS)("$name", ({ make, makeSmall }) => {
  const opened: Journal[] = [];
  afterEach(async () => {
    for (const journal of opened.splice(0)) await journal.close();
  });

  async function open(disk: Disk): Promise<Journal> {
    const journal = await disk.open();
    opened.push(journal);
    return journal;
  }

  /** Ends one life of the journal and reads it in the next. */
  async function readAgain(disk: Disk): Promise<JournalContents> {
    for (const journal of opened.splice(0)) await journal.close();
    return (await open(disk)).load();
  }

  async function writtenAndReadAgain(...batches: JournalBatch[]): Promise<JournalContents> {
    const disk = await make();
    const journal = await open(disk);
    for (const batch of batches) await journal.append(batch);
    return readAgain(disk);
  }

  test("a new journal holds nothing", async () => {
    expect(await (await open(await make())).load()).toEqual(NOTHING);
  });

  test("what was appended is read back in the next life", async () => {
    const batch = { hardState: { term: 3, vote: VOTE, commit: 2 } as const, entries: entries(1, 12, 3) };
    expect(await writtenAndReadAgain(batch)).toEqual({ hardState: batch.hardState, entries: batch.entries });
  });

  test("entries replace everything from the first of them on", async () => {
    const read = await writtenAndReadAgain({ entries: entries(1, 9, 1) }, { entries: entries(4, 5, 2) });
    expect(read.entries).toEqual([...entries(1, 3, 1), ...entries(4, 5, 2)]);
  });

  test("a hard state alone leaves the entries alone, and entries alone leave the hard state", async () => {
    const read = await writtenAndReadAgain(
      { hardState: { term: 1, vote: VOTE, commit: 0 }, entries: [] },
      { entries: entries(1, 3, 1) },
      { hardState: { term: 2, vote: "", commit: 1 }, entries: [] },
    );
    expect(read).toEqual({ hardState: { term: 2, vote: "", commit: 1 }, entries: entries(1, 3, 1) });
  });

  test("a snapshot takes the place of the entries up to its index", async () => {
    const read = await writtenAndReadAgain({ entries: entries(1, 9, 1) }, { entries: [], snapshot: snapshot(6, 1) });
    expect(read).toEqual({ ...NOTHING, snapshot: snapshot(6, 1), entries: entries(7, 9, 1) });
  });

  test("a snapshot that the entries do not follow drops them all", async () => {
    const read = await writtenAndReadAgain({ entries: entries(1, 9, 1) }, { entries: [], snapshot: snapshot(6, 2) });
    expect(read).toEqual({ ...NOTHING, snapshot: snapshot(6, 2) });
  });

  test("a snapshot ahead of the last entry drops them all, and entries go on behind it", async () => {
    const read = await writtenAndReadAgain(
      { entries: entries(1, 3, 1) },
      { entries: entries(21, 22, 4), snapshot: snapshot(20, 3) },
      { entries: entries(23, 23, 4) },
    );
    expect(read).toEqual({ ...NOTHING, snapshot: snapshot(20, 3), entries: entries(21, 23, 4) });
  });

  test("a later snapshot takes the place of an earlier one", async () => {
    const read = await writtenAndReadAgain(
      { entries: entries(1, 9, 1) },
      { entries: [], snapshot: snapshot(3, 1) },
      { entries: [], snapshot: snapshot(5, 1) },
    );
    expect(read).toEqual({ ...NOTHING, snapshot: snapshot(5, 1), entries: entries(6, 9, 1) });
  });

  test("batches handed over without waiting are written in call order and acknowledged in it", async () => {
    const disk = await make();
    const journal = await open(disk);
    const acknowledged: number[] = [];
    // Every third takes back the two before it.
    const batches = Array.from({ length: 60 }, (_, turn) => {
      const first = Math.floor(turn / 3) + (turn % 3 === 2 ? 1 : (turn % 3) + 1);
      return { entries: [entry(first, turn + 1)] };
    });
    await Promise.all(batches.map((batch, turn) => journal.append(batch).then(() => acknowledged.push(turn))));
    expect(acknowledged).toEqual(batches.map((_, turn) => turn));
    expect(await readAgain(disk)).toEqual(outcomeOf(...batches));
  });

  test("what the caller does to its bytes once they are durable changes nothing", async () => {
    const disk = await make();
    const journal = await open(disk);
    const mine = entry(1, 1);
    const done = journal.append({ entries: [mine] });
    await done;
    mine.data.fill(0);
    expect((await readAgain(disk)).entries).toEqual([entry(1, 1)]);
  });

  test("a batch that breaks the rules is refused alone and changes nothing", async () => {
    const disk = await make();
    const journal = await open(disk);
    await journal.append({ entries: entries(1, 3, 2) });
    for (const [batch, reason] of [
      [{ entries: entries(5, 6, 2) }, "no gap"],
      [{ entries: entries(4, 4, 1) }, "terms never go back"],
      [{ entries: [entry(4, 2), entry(6, 2)] }, "contiguous"],
      [{ entries: entries(3, 3, 2), snapshot: snapshot(3, 2) }, "after the snapshot"],
    ] as const)
      await expect(journal.append({ ...batch, entries: [...batch.entries] })).rejects.toThrow(reason);
    await journal.append({ entries: entries(4, 4, 2) });
    expect((await readAgain(disk)).entries).toEqual(entries(1, 4, 2));
  });

  test("a second agent on the same folder is told that one is running, and does no harm", async () => {
    const disk = await make();
    const journal = await open(disk);
    await expect(disk.open()).rejects.toMatchObject({ code: "AGENT_RUNNING" });
    await journal.append({ entries: entries(1, 1, 1) });
    expect((await readAgain(disk)).entries).toEqual(entries(1, 1, 1));
  });

  test("close waits for what was handed over, and takes nothing more", async () => {
    const disk = await make();
    const journal = await disk.open();
    const written = journal.append({ entries: entries(1, 2, 1) });
    await journal.close();
    await written;
    await expect(journal.append({ entries: entries(3, 3, 1) })).rejects.toThrow("closed");
    expect((await (await open(disk)).load()).entries).toEqual(entries(1, 2, 1));
  });

  test("on a full disk a batch and those behind it are refused, nothing of them stays, and they may be tried again", async (context) => {
    const disk = await makeSmall();
    if (typeof disk === "string") return context.skip(disk);
    let journal = await open(disk);
    const first = { hardState: { term: 1, vote: VOTE, commit: 0 }, entries: entries(1, 3, 1) };
    await journal.append(first);
    await disk.setFull(true);
    const batch = { hardState: { term: 2, vote: "", commit: 1 } as const, entries: entries(4, 6, 2) };
    const refused = await Promise.allSettled([
      journal.append(batch),
      journal.append({ entries: entries(7, 7, 2) }),
      new Promise((resolve) => setTimeout(resolve, 0)).then(() => journal.append({ entries: entries(8, 8, 2) })),
    ]);
    for (const [place, outcome] of refused.slice(0, 2).entries())
      expect(outcome, `batch ${place}`).toMatchObject({ status: "rejected", reason: { code: "DISK_FULL" } });
    expect((await journal.load()).entries).toEqual(entries(1, 3, 1));
    await disk.setFull(false);
    expect(await readAgain(disk)).toEqual(first);
    journal = opened[0]!;
    await journal.append(batch);
    expect(await readAgain(disk)).toEqual({
      hardState: batch.hardState,
      entries: [...entries(1, 3, 1), ...batch.entries],
    });
  });

  test("any run of batches and lives reads back as the port's words say", async () => {
    const seed = Math.trunc(Math.random() * 2 ** 31);
    const { random } = seededRandomness(seed);
    const below = (count: number): number => Math.floor(random() * count);
    const disk = await make();
    let journal = await open(disk);
    let expected = NOTHING;
    for (let step = 0; step < 120; step++) {
      const batch = randomBatch(expected, below);
      expected = withBatch(expected, batch);
      const written = journal.append(batch);
      if (below(3) === 0) await written;
      if (below(12) === 0) {
        await written;
        expect(await readAgain(disk), `seed ${seed}, step ${step}`).toEqual(expected);
        journal = opened[0]!;
      }
    }
    expect(await readAgain(disk), `seed ${seed}`).toEqual(expected);
  });
});

describe("the pretend journal alone", () => {
  const [first, second, third] = [1, 2, 3].map((index) => ({ entries: [entry(index, 1)] })) as [
    JournalBatch,
    JournalBatch,
    JournalBatch,
  ];
  const make = (syncMs = 10): { clock: VirtualClock; disk: PretendJournal } => {
    const clock = new VirtualClock();
    return { clock, disk: new PretendJournal(clock, () => syncMs) };
  };
  /** Whether a promise is settled by now; it may never be. */
  const isSettled = async (clock: VirtualClock, promise: Promise<unknown>): Promise<boolean> => {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    await clock.settle();
    return settled;
  };

  test("an fsync takes its time, and everything handed over meanwhile goes into the next one", async () => {
    const { clock, disk } = make(10);
    const journal = disk.open();
    const doneAtMs: number[] = [];
    const append = (batch: JournalBatch): unknown =>
      journal.append(batch).then(() => doneAtMs.push(clock.monotonicMs()));
    append(first);
    await clock.runUntil(4);
    append(second);
    append(third);
    await clock.runUntil(100);
    expect(doneAtMs).toEqual([10, 20, 20]);
  });

  test("a crash keeps what was acknowledged and, of what was under way, nothing, a part, or all, as it is told", async () => {
    for (const [outcome, kept] of [
      ["lost", 1],
      ["torn", 2],
      ["kept", 3],
    ] as const) {
      const { clock, disk } = make();
      const journal = disk.open();
      const acknowledged = journal.append(first);
      await clock.runUntil(10);
      await acknowledged;
      const underWay = Promise.all([journal.append(second), journal.append(third)]);
      await clock.runUntil(15);
      disk.crash(outcome);
      await clock.runUntil(100);
      expect(await isSettled(clock, underWay)).toBe(false);
      expect((await disk.open().load()).entries).toEqual(entries(1, kept, 1));
    }
  });

  test("what a dead life does reaches no disk and gets no answer", async () => {
    const { clock, disk } = make();
    const dead = disk.open();
    disk.crash();
    const alive = disk.open();
    const answer = Promise.race([dead.append(first), dead.load()]);
    await clock.runUntil(100);
    expect(await isSettled(clock, answer)).toBe(false);
    expect((await alive.load()).entries).toEqual([]);
  });

  test("a stalled disk answers when it goes on", async () => {
    const { clock, disk } = make();
    const journal = disk.open();
    disk.isStalled = true;
    const written = journal.append(first);
    await clock.runUntil(10_000);
    expect(await isSettled(clock, written)).toBe(false);
    expect(disk.durable().entries).toEqual([]);
    disk.isStalled = false;
    await written;
    expect(disk.durable().entries).toEqual(first.entries);
  });

  test("a damaged entry is found in the next life", async () => {
    const { clock, disk } = make();
    const written = disk.open().append(first);
    await clock.runUntil(10);
    await written;
    disk.rot(1);
    disk.crash();
    await expect(disk.open().load()).rejects.toMatchObject({ code: "JOURNAL_CORRUPT" });
  });
});

/** A batch that a Raft core could hand over: the term grows, the tail is replaced now and then, snapshots move on. */
function randomBatch(
  { hardState, entries: before, snapshot: old }: JournalContents,
  below: (count: number) => number,
): JournalBatch {
  const baseIndex = old?.index ?? 0;
  const last = baseIndex + before.length;
  const term = hardState.term + (below(4) === 0 ? 1 : 0);
  const batch: JournalBatch = { entries: [], hardState: { term, vote: below(2) ? VOTE : "", commit: baseIndex } };
  const kind = below(10);
  if (kind === 0 && before.length > 0) {
    const covered = before[below(before.length)]!;
    batch.snapshot = snapshot(covered.index, covered.term);
  } else if (kind === 1) batch.snapshot = snapshot(last + 1 + below(5), term);
  if (kind === 0 && below(2) === 0) return batch;
  const from = batch.snapshot
    ? Math.max(last, batch.snapshot.index) + 1
    : last + 1 - below(Math.min(3, before.length + 1));
  batch.entries = entries(from, from + below(6), term);
  return batch;
}
