/** Where copies are, how many, and what becomes of those that nobody needs: on the real runtime over a pretend world. */
import { describe, expect, test } from "vitest";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash, JobId } from "../../../shared/ids.ts";
import type { JobInput } from "../../../shared/job.ts";
import type { Labels } from "../../../shared/labels.ts";
import { looksLikeLedgerPiece } from "../../../shared/wire/ledger-snapshot.ts";
import { SimFleet, type SimFleetOptions } from "./sim-fleet.ts";
import { type SimNode, sha256 } from "./sim-node.ts";

const SOON_MS = 30_000;
const SWEEP_MS = 150_000;
const DAY_MS = 24 * 3_600_000;

async function raise(size: number, options: SimFleetOptions = {}, seed = 17): Promise<SimFleet> {
  const fleet = new SimFleet(seed, size, options);
  for (const node of fleet.nodes) node.sweepMs = SWEEP_MS;
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, SOON_MS);
  await fleet.until("all are ready", () => fleet.nodes.every((node) => node.agent!.health().ok), SOON_MS);
  await fleet.run(3_000);
  return fleet;
}

/** What comes of a call, a refusal too, while the fleet's time goes on. */
const during = <T>(fleet: SimFleet, call: Promise<T>): Promise<T | SkeinError> =>
  fleet.settled(
    call.catch((error: unknown) => SkeinError.from(error)),
    60_000,
  );

const pagesFor = (node: SimNode, name: string): JobInput[] =>
  Array.from({ length: 6 }, (_, i) => {
    const bytes = new TextEncoder().encode(`${name} page ${i}`);
    node.blobs.keep(sha256(bytes), bytes);
    return { name: `page-${i}`, blob: sha256(bytes), bytes: bytes.length };
  });

/** Hands pages in and waits for the end; resolves with all that the job stands on. */
async function runJob(
  fleet: SimFleet,
  name: string,
  more: { copies?: number } = {},
): Promise<{ jobId: JobId; blobs: BlobHash[] }> {
  const node = fleet.nodes[0]!;
  const inputs = pagesFor(node, name);
  const answer = await during(fleet, node.agent!.submit({ pipeline: "ocr", inputs, ...more }));
  if (answer instanceof SkeinError) throw answer;
  const { jobId } = answer;
  const job = () => fleet.leader?.agent?.ledger.jobs.get(jobId);
  await fleet.until("the job ends", () => job()?.state === "done", 120_000);
  const blobs = [...inputs.map(({ blob }) => blob), ...job()!.results.map((result) => result!.output!)];
  return { jobId, blobs };
}

const ledgerOf = (fleet: SimFleet) => fleet.leader!.agent!.ledger;
const holdersOf = (fleet: SimFleet, blob: BlobHash): SimNode[] =>
  fleet.nodes.filter((node) => fleet.leader && ledgerOf(fleet).holdersOf(blob).includes(node.nodeId));
const holds = (node: SimNode, blob: BlobHash): boolean => node.blobs.held().has(blob);
/** As many are recorded as that, and each of them has it. */
const hasCopies = (fleet: SimFleet, blob: BlobHash, count: number): boolean => {
  const holders = holdersOf(fleet, blob);
  return holders.length === count && holders.every((node) => holds(node, blob));
};
const told = (node: SimNode, event: string): string[] => node.story.filter((line) => line.includes(` ${event} `));

async function label(fleet: SimFleet, zones: string[]): Promise<void> {
  for (const [i, node] of fleet.nodes.entries()) {
    const labels: Labels = { zone: zones[i]! };
    expect(await during(fleet, fleet.nodes[0]!.agent!.labelNode(node.name, labels))).toMatchObject({ labels });
  }
}
const zonesOf = (fleet: SimFleet, zones: string[], blob: BlobHash): Set<string> =>
  new Set(holdersOf(fleet, blob).map((node) => zones[fleet.nodes.indexOf(node)]!));

describe("as many copies as the job asked for", () => {
  test("three of one job and two of another, and the box that is lost is made good for either", async () => {
    const fleet = await raise(5);
    const three = await runJob(fleet, "three", { copies: 3 });
    const two = await runJob(fleet, "two");
    for (const blob of three.blobs) expect(hasCopies(fleet, blob, 3)).toBe(true);
    for (const blob of two.blobs) expect(hasCopies(fleet, blob, 2)).toBe(true);
    const gone = fleet.nodes.find((node) => node !== fleet.leader && holds(node, three.blobs[7]!))!;
    gone.crash();
    const live = (blob: BlobHash): number => holdersOf(fleet, blob).filter((node) => node.isUp).length;
    await fleet.until("as many again", () => three.blobs.every((blob) => live(blob) === 3), SOON_MS);
    await fleet.until("and of the other", () => two.blobs.every((blob) => live(blob) === 2), SOON_MS);
  });

  test("a blob that two jobs share has as many as the one that wants more", async () => {
    const fleet = await raise(4);
    const { blobs } = await runJob(fleet, "shared");
    await runJob(fleet, "shared", { copies: 3 });
    await fleet.until("three of each", () => blobs.every((blob) => hasCopies(fleet, blob, 3)), SOON_MS);
  });
});

describe("failure domains", () => {
  const zones = ["attic", "attic", "attic", "garage"];

  test("copies of whatever comes are in two zones", async () => {
    const fleet = await raise(4);
    await label(fleet, zones);
    await fleet.run(1_000);
    const { blobs } = await runJob(fleet, "zoned");
    for (const blob of blobs) expect(zonesOf(fleet, zones, blob).size).toBe(2);
  });

  test("copies that were made before anyone spoke of zones move, and none is left over", async () => {
    const fleet = await raise(4);
    const { blobs } = await runJob(fleet, "moved");
    const isSpread = (blob: BlobHash): boolean => zonesOf(fleet, zones, blob).size === 2;
    await label(fleet, zones);
    expect(blobs.every(isSpread)).toBe(false);
    await fleet.until("all are spread", () => blobs.every((b) => isSpread(b) && hasCopies(fleet, b, 2)), 120_000);
  });
});

describe("a box that was away", () => {
  test("comes back, sheds what is too many by then, and its disk with it", async () => {
    const fleet = await raise(3);
    const { blobs } = await runJob(fleet, "shed");
    const away = fleet.nodes.find((node) => node !== fleet.leader)!;
    const rest = fleet.nodes.filter((node) => node !== away);
    away.crash();
    const areMade = (): boolean => blobs.every((blob) => rest.every((node) => holds(node, blob)));
    await fleet.until("copies are made", areMade, SOON_MS);
    await away.start();
    await fleet.until("two of each", () => blobs.every((blob) => hasCopies(fleet, blob, 2)), 120_000);
    // Pages that were fetched to be read are on more disks for now.
    const outputs = blobs.slice(6);
    const onDisks = (): number => outputs.flatMap((b) => fleet.nodes.filter((node) => holds(node, b))).length;
    expect(onDisks()).toBeGreaterThan(2 * outputs.length);
    await fleet.until("no disk holds more", () => onDisks() === 2 * outputs.length, 240_000);
  });

  test("comes back with an empty disk: nobody counts on what it was recorded to hold", async () => {
    const fleet = await raise(4);
    const { blobs } = await runJob(fleet, "wiped");
    const wiped = fleet.nodes.find((node) => node !== fleet.leader)!;
    wiped.crash();
    for (const blob of blobs) wiped.blobs.drop(blob, false);
    await wiped.start();
    await fleet.until("two real copies", () => blobs.every((blob) => hasCopies(fleet, blob, 2)), 120_000);
    expect(fleet.nodes.some((node) => told(node, "copiesRepaired").length > 0)).toBe(true);
  });
});

describe("a copy that rotted", () => {
  test("is found by the box that holds it, dropped, and made anew", async () => {
    const fleet = await raise(3);
    const { blobs } = await runJob(fleet, "rot");
    const rotten = blobs.at(-1)!;
    const holder = holdersOf(fleet, rotten)[0]!;
    holder.crash();
    holder.blobs.rot(rotten);
    // The disk was last read more than a week ago, and half of it since.
    const progress = { after: "", damagedFound: 2, untold: [], lastFullPassAtMs: fleet.clock.nowMs() - 8 * DAY_MS };
    await holder.notes.open().write([{ key: "scrub", value: new TextEncoder().encode(JSON.stringify(progress)) }]);
    await holder.start();
    await fleet.until("it is found", () => told(holder, "blobDamaged").length > 0, 60_000);
    expect(told(holder, "blobDamaged")[0]).toContain('"foundBy":"scrub"');
    expect(holder.agent!.fleet().scrub.damagedFound).toBe(3);
    const isSound = (node: SimNode): boolean => sha256(node.blobs.held().get(rotten) ?? new Uint8Array()) === rotten;
    await fleet.until(
      "two sound copies",
      () => hasCopies(fleet, rotten, 2) && holdersOf(fleet, rotten).every(isSound),
      60_000,
    );
    await fleet.until("all is read", () => holder.agent!.fleet().scrub.lastFullPassAtMs !== undefined, 60_000);
  });

  test("is found by a reader elsewhere, who tells the holder", async () => {
    const fleet = await raise(4);
    const { blobs } = await runJob(fleet, "doubt");
    await fleet.run(20_000);
    const rotten = blobs.at(-1)!;
    const [holder] = holdersOf(fleet, rotten);
    const first = fleet.nodes.find((node) => node.nodeId === ledgerOf(fleet).holdersOf(rotten)[0])!;
    expect(holder).toBeDefined();
    first.blobs.rot(rotten);
    const reader = fleet.nodes.find((node) => !holds(node, rotten))!;
    const { chunks } = (await during(fleet, reader.agent!.readBlob(rotten))) as { chunks: AsyncIterable<Uint8Array> };
    for await (const chunk of chunks) expect(chunk.length).toBeGreaterThan(0);
    await fleet.until("the holder knows", () => told(first, "blobDamaged").length > 0, SOON_MS);
    expect(told(first, "blobDamaged")[0]).toContain('"foundBy":"doubt"');
    await fleet.until("two copies again", () => hasCopies(fleet, rotten, 2), SOON_MS);
  });

  test("is told of by a box that comes upon it in its own disk and finds no sound one for the moment", async () => {
    const fleet = await raise(4);
    const { blobs } = await runJob(fleet, "alone");
    await fleet.run(20_000);
    const rotten = blobs.at(-1)!;
    const holder = holdersOf(fleet, rotten).find((node) => node !== fleet.leader)!;
    holder.blobs.rot(rotten);
    for (const node of fleet.nodes) if (node !== holder) fleet.net.cut(holder.nodeId, node.nodeId);
    await fleet.run(5_000);
    const answer = await during(fleet, holder.agent!.readBlob(rotten));
    expect(answer).toMatchObject({ code: "BLOB_MISSING" });
    fleet.mend();
    await fleet.until("two copies again", () => hasCopies(fleet, rotten, 2), SOON_MS);
  });
});

describe("what is kept no longer", () => {
  test("the oldest jobs over the limit are forgotten, and no disk holds anything of them", async () => {
    const fleet = await raise(3, { settings: { keepJobsMax: "1" } });
    const first = await runJob(fleet, "first");
    const second = await runJob(fleet, "second");
    const isForgotten = (): boolean =>
      fleet.nodes.every((node) => {
        const { jobs } = node.agent!.ledger;
        return !jobs.has(first.jobId) && jobs.has(second.jobId);
      });
    await fleet.until("the first is forgotten", isForgotten, 120_000);
    expect(first.blobs.some((blob) => fleet.nodes.some((node) => holds(node, blob)))).toBe(true);
    const isEmptied = (): boolean => first.blobs.every((blob) => !fleet.nodes.some((node) => holds(node, blob)));
    await fleet.until("the disks are emptied", isEmptied, 240_000);
    for (const blob of second.blobs) expect(hasCopies(fleet, blob, 2)).toBe(true);
  });

  test("one that a person forgets goes; an open or unknown one is refused; what came again meanwhile stays", async () => {
    const fleet = await raise(3);
    const { jobId, blobs } = await runJob(fleet, "again");
    const asked = fleet.nodes[1]!.agent!;
    expect(await during(fleet, asked.forget("job-none" as JobId))).toMatchObject({ code: "JOB_UNKNOWN" });
    expect(await during(fleet, asked.forget(jobId))).toEqual({ forgotten: jobId });
    await fleet.run(60_000);
    const again = await runJob(fleet, "again");
    expect(again.blobs).toEqual(blobs);
    expect(again.jobId).not.toBe(jobId);
    await fleet.run(240_000);
    for (const blob of blobs) expect(hasCopies(fleet, blob, 2)).toBe(true);
  });

  test("a box without the ledger asks what may go", async () => {
    const fleet = await raise(4, { voters: 3, settings: { keepJobsMax: "1", votersMax: "3" } });
    const worker = fleet.nodes[3]!;
    const first = await runJob(fleet, "first");
    const second = await runJob(fleet, "second");
    const had = first.blobs.filter((blob) => holds(worker, blob));
    expect(had.length).toBeGreaterThan(0);
    expect(worker.agent!.holdsLedger).toBe(false);
    await fleet.until("they go", () => had.every((blob) => !holds(worker, blob)), 3 * SWEEP_MS);
    for (const blob of second.blobs) expect(hasCopies(fleet, blob, 2)).toBe(true);
  });
});

test("boxes fall over while jobs come, are shared and are forgotten: in the end each blob that is needed has its copies, and no other is left", async () => {
  for (const seed of [1, 2, 3]) {
    const fleet = await raise(4, {}, seed);
    const pick = <T>(of: readonly T[]): T => of[Math.floor(of.length * fleet.random.random())]!;
    const open: Promise<unknown>[] = [];
    const handIn = (): void => {
      const node = pick(fleet.nodes.filter((one) => one.isUp));
      const inputs = pagesFor(node, `storm ${Math.floor(5 * fleet.random.random())}`);
      const copies = 1 + Math.floor(3 * fleet.random.random());
      open.push(node.agent!.submit({ pipeline: "ocr", inputs, copies: Math.max(2, copies) }).catch(() => {}));
    };
    const forget = (): void => {
      const node = pick(fleet.nodes.filter((one) => one.isUp));
      const ended = [...node.agent!.ledger.jobs.values()].filter((job) => job.state === "done");
      if (ended.length > 0) open.push(node.agent!.forget(pick(ended).jobId).catch(() => {}));
    };
    for (let round = 0; round < 16; round++) {
      const down = fleet.nodes.find((node) => !node.isUp);
      if (down) await down.start();
      else if (round % 2 === 0) pick(fleet.nodes).crash();
      await fleet.run(Math.floor(12_000 * fleet.random.random()));
      pick([handIn, handIn, forget])();
      await fleet.run(Math.floor(3_000 * fleet.random.random()));
    }
    await fleet.heal();
    await fleet.run(20_000);
    handIn();
    handIn();
    await fleet.until("all has ended", () => fleet.hasConverged(), 120_000);
    await fleet.run(3 * SWEEP_MS);
    const { ledger } = fleet.leader!.agent!;
    expect(ledger.jobs.size).toBeGreaterThanOrEqual(2);
    for (const blob of ledger.holders.keys()) {
      const facts = {
        seed,
        blob,
        wanted: ledger.copiesOf(blob),
        holders: holdersOf(fleet, blob).map(({ name }) => name),
      };
      expect({ ...facts, isRight: hasCopies(fleet, blob, ledger.copiesOf(blob)) }).toMatchObject({ isRight: true });
    }
    for (const node of fleet.nodes) {
      const spare = [...node.blobs.held()].flatMap(([hash, bytes]) =>
        looksLikeLedgerPiece(bytes) || holdersOf(fleet, hash).includes(node) ? [] : [hash],
      );
      expect({ seed, node: node.name, spare }).toMatchObject({ spare: [] });
    }
  }
});
