/** Agents that die, disks that fill: on real processes and a real small disk. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ClassicLevel } from "classic-level";
import { expect, onTestFinished, test, vi } from "vitest";
import { openJournal } from "../../../agent/io/journal/index.ts";
import type { Journal } from "../../../agent/ports/index.ts";
import type { RaftEntry } from "../../../shared/raft.ts";
import { fillDisk, freeDisk, silent, smallDisk, temporaryFolder } from "../../support/small-disk.ts";

const WRITER = new URL("./writer.ts", import.meta.url).pathname;

async function open(path: string): Promise<Journal> {
  const journal = await openJournal(path, { telemetry: silent });
  onTestFinished(() => journal.close());
  return journal;
}

/** A process that appends as fast as it can and prints the last acknowledged index of each life. */
function startWriter(path: string): { child: ChildProcess; lines: AsyncIterator<string>; ended: Promise<void> } {
  const child = spawn(process.execPath, [WRITER, path], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  onTestFinished(() => void child.kill("SIGKILL"));
  return { child, lines: createInterface(child.stdout!)[Symbol.asyncIterator](), ended };
}

test("everything acknowledged is there after kill -9 in the middle of writing, three times over", async () => {
  const path = await temporaryFolder();
  let acknowledged = 0;
  for (let life = 1; life <= 3; life++) {
    const { child, lines, ended } = startWriter(path);
    for (let line = await lines.next(), seen = 0; !line.done; line = await lines.next()) {
      acknowledged = Number(line.value);
      seen += 1;
      if (seen === 30 * life) child.kill("SIGKILL");
    }
    await ended;
    const journal = await openJournal(path, { telemetry: silent });
    const { entries, hardState } = await journal.load();
    await journal.close();
    expect(entries.length).toBeGreaterThanOrEqual(acknowledged);
    expect(hardState.term).toBe(entries.at(-1)!.term);
    expect(hardState.commit).toBe(entries.length);
    for (const [place, entry] of entries.entries()) expect(entry.data[0]).toBe((place + 1) % 256);
  }
  expect(acknowledged).toBeGreaterThan(100);
});

test("a folder that another process has open is refused with that process's id, and the other goes on", async () => {
  const path = await temporaryFolder();
  const { child, lines } = startWriter(path);
  await lines.next();
  await expect(openJournal(path, { telemetry: silent })).rejects.toMatchObject({
    code: "AGENT_RUNNING",
    facts: { data: path, pid: process.platform === "linux" ? child.pid : "unknown" },
  });
  const before = Number((await lines.next()).value);
  expect(Number((await lines.next()).value)).toBeGreaterThan(before);
});

const entries = (from: number, count: number, bytes: number): RaftEntry[] =>
  Array.from({ length: count }, (_, offset) => ({
    index: from + offset,
    term: 1,
    kind: "normal",
    data: new Uint8Array(bytes).fill(from + offset),
  }));

test("a disk that fills up in the middle of a write loses nothing that was acknowledged, and the write may be tried again", async (context) => {
  const disk = await smallDisk(48);
  if ("reason" in disk) return context.skip(disk.reason);
  const journal = await open(join(disk.path, "journal"));
  await journal.append({ entries: entries(1, 3, 100), hardState: { term: 1, vote: "", commit: 1 } });
  // More than the reserve, so that the journal begins to write, and less than the batch, so that it cannot end.
  await fillDisk(disk.path, 18);
  const batch = { entries: entries(4, 28, 700_000) };
  const vote = { entries: [], hardState: { term: 2, vote: "", commit: 1 } as const };
  for (const outcome of await Promise.allSettled([journal.append(batch), journal.append(vote)]))
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "DISK_FULL" } });
  await expect(journal.append(vote)).rejects.toMatchObject({ code: "DISK_FULL" });
  await freeDisk(disk.path);
  expect(await journal.load()).toMatchObject({ entries: entries(1, 3, 100), hardState: { term: 1 } });
  await Promise.all([journal.append(batch), journal.append(vote)]);
  const { entries: after, hardState } = await journal.load();
  expect(after.length).toBe(31);
  expect(hardState.term).toBe(2);
});

test("an append asks for one fsync, and those handed over meanwhile share the next", async () => {
  const journal = await open(await temporaryFolder());
  const batch = vi.spyOn(ClassicLevel.prototype, "batch");
  onTestFinished(() => batch.mockRestore());
  await Promise.all([
    journal.append({ entries: entries(1, 1, 10) }),
    new Promise((resolve) => setImmediate(resolve)).then(() =>
      Promise.all([2, 3, 4].map((index) => journal.append({ entries: entries(index, 1, 10) }))),
    ),
  ]);
  // LevelDB alone would call a write done when it is in the system's memory; kill -9 does not show that, a power cut does.
  const options = batch.mock.calls.map((call: unknown[]) => call[1]);
  expect(options).toEqual([{ sync: true }, { sync: true }]);
});

type Batch = (...args: unknown[]) => Promise<void>;

/** Puts something around every write with fsync, for as long as the test lasts. */
function aroundEachWrite(around: (write: () => Promise<void>) => Promise<void>) {
  const real = ClassicLevel.prototype.batch as Batch;
  const spy = vi.spyOn(ClassicLevel.prototype as unknown as { batch: Batch }, "batch");
  spy.mockImplementation(function batch(this: unknown, ...args: unknown[]) {
    return around(() => real.apply(this, args));
  });
  onTestFinished(() => spy.mockRestore());
  return spy;
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("whatever comes while an fsync runs goes into one next fsync, however much it is", async () => {
  const journal = await open(await temporaryFolder());
  const released = Promise.withResolvers<void>();
  const running = Promise.withResolvers<void>();
  const writes = aroundEachWrite(async (write) => {
    running.resolve();
    await released.promise;
    await write();
  });
  const settled: number[] = [];
  const append = (index: number): Promise<unknown> =>
    journal.append({ entries: entries(index, 1, 10) }).then(() => settled.push(index));
  const all = [append(1)];
  await running.promise;
  for (let index = 2; index <= 101; index++) {
    all.push(append(index));
    await turn();
  }
  expect([writes.mock.calls.length, settled]).toEqual([1, []]);
  released.resolve();
  await Promise.all(all);
  expect(writes.mock.calls.length).toBe(2);
  expect(settled).toEqual(Array.from({ length: 101 }, (_, at) => at + 1));
  expect((await journal.load()).entries).toHaveLength(101);
});

test("the event loop goes on turning while an fsync runs", async () => {
  const journal = await open(await temporaryFolder());
  const turns: number[] = [];
  aroundEachWrite(async (write) => {
    let isWritten = false;
    const written = write().then(() => {
      isWritten = true;
    });
    let count = 0;
    for (; !isWritten; count++) await turn();
    turns.push(count);
    await written;
  });
  for (let index = 1; index <= 20; index++) await journal.append({ entries: entries(index, 1, 700_000) });
  // The system may let this thread run through one write or another asleep, but not through each of many.
  expect(Math.max(...turns)).toBeGreaterThan(10);
});
