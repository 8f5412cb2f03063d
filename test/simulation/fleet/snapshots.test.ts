/** The log is compacted while the fleet works; whoever was away, or was killed at any moment of it, tells the same afterwards. */
import { expect, test } from "vitest";
import type { BlobHash } from "../../../shared/ids.ts";
import { decodeManifest, looksLikeLedgerPiece } from "../../../shared/wire/ledger-snapshot.ts";
import { SimFleet } from "./sim-fleet.ts";
import type { SimNode } from "./sim-node.ts";

const happened = (node: SimNode, event: string): number =>
  node.story.filter((line) => line.includes(` ${event} `)).length;
const snapshotIndex = (node: SimNode): number => node.journal.durableSnapshot()?.index ?? 0;
const piecesNamed = (node: SimNode): BlobHash[] => {
  const snapshot = node.journal.durableSnapshot();
  return snapshot ? decodeManifest(snapshot.data).map(({ hash }) => hash) : [];
};
const piecesHeld = (node: SimNode): BlobHash[] =>
  [...node.blobs.held()].filter(([, bytes]) => looksLikeLedgerPiece(bytes)).map(([hash]) => hash);
const isTidy = (node: SimNode): boolean =>
  piecesHeld(node).toSorted().join() === [...new Set(piecesNamed(node))].toSorted().join();

async function raised(seed: number): Promise<SimFleet> {
  const fleet = new SimFleet(seed, 3);
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, 5_000);
  await fleet.run(2_000);
  return fleet;
}

/** Works until each of these has taken one more snapshot. */
async function workUntilCompacted(fleet: SimFleet, nodes: SimNode[]): Promise<void> {
  const before = nodes.map(snapshotIndex);
  while (nodes.some((node, i) => snapshotIndex(node) === before[i])) {
    await fleet.submit(nodes[0]!, 10);
    await fleet.run(1_000);
  }
}

const converged = (fleet: SimFleet): Promise<number> =>
  fleet.until("the fleet converges", () => fleet.hasConverged(), 60_000);

test("the log stays short, and of all snapshots only the last one's pieces stay on the disks", async () => {
  const fleet = await raised(21);
  for (let i = 0; i < 4; i++) await workUntilCompacted(fleet, fleet.nodes);
  await converged(fleet);
  for (const node of fleet.nodes) {
    expect(node.journal.durable().entries.length).toBeLessThan(60);
    expect(happened(node, "snapshotNotTaken")).toBe(0);
    expect(piecesNamed(node).length).toBeGreaterThan(3);
    expect(isTidy(node)).toBe(true);
  }
});

test("a box that was away while the log was compacted is sent a snapshot, and has its jobs after a restart too", async () => {
  const fleet = await raised(22);
  const away = fleet.nodes.find((node) => node !== fleet.leader)!;
  away.crash();
  const others = fleet.nodes.filter((node) => node !== away);
  for (let i = 0; i < 3; i++) await workUntilCompacted(fleet, others);
  await away.start();
  await converged(fleet);
  expect(happened(away, "snapshotInstalled")).toBe(1);
  expect(happened(away, "jobEnded")).toBe(fleet.jobs.length);
  away.crash();
  await away.start();
  await converged(fleet);
  expect(happened(away, "ledgerLoaded")).toBe(1);
  expect(happened(away, "snapshotInstalled")).toBe(1);
});

test("a box that is asked while it still reads its snapshot answers from the whole of its ledger", async () => {
  const fleet = await raised(31);
  const [box] = fleet.nodes as [SimNode];
  await workUntilCompacted(fleet, fleet.nodes);
  const set = box.agent!.setSetting("colour", "blue");
  await fleet.run(3_000);
  await set;
  await converged(fleet);
  box.crash();
  await box.start();
  const answers: string[] = [];
  let jobs = -1;
  void box.agent!.jobs().then(({ length }) => {
    jobs = length;
  });
  // From before it has links until it serves; what it refuses meanwhile is right to be refused.
  for (let asked = 0; asked < 200; asked++) {
    box.agent!.setting("colour").then(
      ({ value }) => answers.push(value),
      () => {},
    );
    await fleet.run(1);
  }
  await fleet.until("it answers", () => answers.length > 0 && jobs >= 0, 10_000);
  expect(new Set(answers)).toEqual(new Set(["blue"]));
  expect(jobs).toBe(fleet.jobs.length);
  await converged(fleet);
});

test("pieces that are here already are not fetched again, also after a restart", async () => {
  const fleet = await raised(23);
  const away = fleet.nodes.find((node) => node !== fleet.leader)!;
  for (let i = 0; i < 3; i++) await workUntilCompacted(fleet, fleet.nodes);
  await converged(fleet);
  away.crash();
  const others = fleet.nodes.filter((node) => node !== away);
  for (let i = 0; i < 3; i++) await workUntilCompacted(fleet, others);
  await fleet.run(3_000);
  const had = new Set(piecesHeld(away));
  const shared = piecesNamed(fleet.leader!).filter((hash) => had.has(hash));
  expect(shared.length).toBeGreaterThan(0);
  const before = away.streamed.length;
  await away.start();
  await fleet.until("a snapshot arrives", () => happened(away, "snapshotInstalled") === 1, 20_000);
  const since = away.streamed.slice(before);
  expect(since.length).toBeGreaterThan(0);
  for (const hash of shared) expect(since).not.toContain(hash);
  await converged(fleet);
});

test("a box killed at any moment of taking a snapshot starts again with the one before or the new one, and leaves nothing behind", async () => {
  let [old, fresh] = [0, 0];
  for (let laterMs = 0; laterMs < 60; laterMs += 3) {
    const fleet = await raised(24);
    const box = fleet.nodes[1]!;
    await workUntilCompacted(fleet, [box]);
    const before = snapshotIndex(box);
    const killed = new Promise<boolean>((resolve) => {
      box.onPut = (bytes) => {
        if (!looksLikeLedgerPiece(bytes)) return;
        box.onPut = undefined;
        fleet.clock.after(laterMs, () => {
          box.crash();
          resolve(snapshotIndex(box) > before);
        });
      };
    });
    while (box.isUp) await fleet.submit(fleet.nodes[0]!, 10);
    if (await killed) fresh++;
    else old++;
    await fleet.run(1_000);
    await box.start();
    await converged(fleet);
    await workUntilCompacted(fleet, [box]);
    await converged(fleet);
    expect(isTidy(box)).toBe(true);
  }
  expect(Math.min(old, fresh)).toBeGreaterThan(2);
});

test("a box killed at any moment of installing a snapshot installs it, or a later one, when it is up again", async () => {
  let [before, after] = [0, 0];
  for (let laterMs = 0; laterMs < 60; laterMs += 2) {
    const fleet = await raised(25);
    const box = fleet.nodes.find((node) => node !== fleet.leader)!;
    box.crash();
    const others = fleet.nodes.filter((node) => node !== box);
    for (let i = 0; i < 2; i++) await workUntilCompacted(fleet, others);
    await box.start();
    while (piecesHeld(box).length === 0) await fleet.run(1);
    await fleet.run(laterMs);
    if (snapshotIndex(box) === 0) before++;
    else after++;
    box.crash();
    await box.start();
    await converged(fleet);
    expect(snapshotIndex(box)).toBeGreaterThan(0);
  }
  expect(Math.min(before, after)).toBeGreaterThan(2);
});

test("a box whose snapshot rotted is given it by the others, and tells the same", async () => {
  const fleet = await raised(26);
  const box = fleet.leader!;
  for (let i = 0; i < 2; i++) await workUntilCompacted(fleet, fleet.nodes);
  await converged(fleet);
  const jobs = box.agent!.ledger.jobs.size;
  box.crash();
  for (const hash of piecesNamed(box)) box.blobs.rot(hash);
  await box.start();
  await fleet.until("it knows its jobs again", () => box.agent!.ledger.jobs.size === jobs, 20_000);
  expect(happened(box, "snapshotLost")).toBe(1);
  await converged(fleet);
});

test("a box whose snapshot rotted and is nowhere any more makes a newer one of the others its own", async () => {
  const fleet = await raised(28);
  const box = fleet.nodes.find((node) => node !== fleet.leader)!;
  const others = fleet.nodes.filter((node) => node !== box);
  await workUntilCompacted(fleet, fleet.nodes);
  box.blobs.capacityBytes = 0;
  for (let i = 0; i < 2; i++) await workUntilCompacted(fleet, others);
  box.blobs.capacityBytes = Number.POSITIVE_INFINITY;
  await converged(fleet);
  box.crash();
  const before = snapshotIndex(box);
  for (const hash of piecesNamed(box)) box.blobs.rot(hash);
  await box.start();
  await converged(fleet);
  expect(happened(box, "snapshotFound")).toBe(1);
  expect(snapshotIndex(box)).toBeGreaterThan(before);
  box.crash();
  await box.start();
  await converged(fleet);
  expect(happened(box, "snapshotLost")).toBe(1);
  expect(happened(box, "ledgerLoaded")).toBe(1);
});

test("a snapshot that rotted on every box that could send it is made anew from what they know", async () => {
  const fleet = await raised(29);
  const away = fleet.nodes.find((node) => node !== fleet.leader)!;
  away.crash();
  const others = fleet.nodes.filter((node) => node !== away);
  for (let i = 0; i < 2; i++) await workUntilCompacted(fleet, others);
  await fleet.run(5_000);
  for (const node of others) for (const hash of piecesNamed(node)) node.blobs.rot(hash);
  await away.start();
  await converged(fleet);
  expect(happened(away, "snapshotNotFetched")).toBeGreaterThan(0);
  expect(happened(away, "snapshotInstalled")).toBe(1);
});

test("a piece that is some job's input too stays when its snapshot goes", async () => {
  const fleet = await raised(30);
  const [box] = fleet.nodes as [SimNode];
  await workUntilCompacted(fleet, fleet.nodes);
  const [blob] = piecesNamed(box) as [BlobHash];
  const bytes = box.blobs.held().get(blob)!.length;
  let isTaken = false;
  void box.agent!.submit({ pipeline: "ocr", inputs: [{ name: "odd", blob, bytes }] }).then(() => {
    isTaken = true;
  });
  await fleet.until("the job is taken", () => isTaken, 8_000);
  for (let i = 0; i < 2; i++) await workUntilCompacted(fleet, fleet.nodes);
  await converged(fleet);
  expect(piecesNamed(box)).not.toContain(blob);
  expect(box.blobs.held().has(blob)).toBe(true);
});

test("on a full disk no snapshot is taken and nothing else breaks; with room again one is", async () => {
  const fleet = await raised(27);
  const box = fleet.nodes[2]!;
  box.blobs.capacityBytes = 0;
  const others = fleet.nodes.filter((node) => node !== box);
  for (let i = 0; i < 2; i++) await workUntilCompacted(fleet, others);
  expect(happened(box, "snapshotNotTaken")).toBeGreaterThan(0);
  expect(snapshotIndex(box)).toBe(0);
  box.blobs.capacityBytes = Number.POSITIVE_INFINITY;
  await fleet.run(31_000);
  await workUntilCompacted(fleet, [box]);
  await converged(fleet);
});
