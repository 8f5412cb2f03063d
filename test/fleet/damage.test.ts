/** Disks that fill up and bytes that rot. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeEach, expect, test } from "vitest";
import type { BlobHash } from "../../shared/ids.ts";
import { rotSmall } from "../support/small-blobs.ts";
import { fillDisk, freeDisk } from "../support/small-disk.ts";
import { cutPages, pageOf } from "./pages.ts";
import { setStage } from "./promises.ts";
import { blobFile, type RealAgent } from "./real-agent.ts";

const run = promisify(execFile);
const DISK_MIB = 256;

/** A disk of cellar's own, if there can be one. */
let disk: string | undefined;
const whyNoDisk = process.getuid?.() === 0 ? undefined : "a disk of its own (tmpfs) needs root";
if (whyNoDisk) console.warn(`Skipped, the full disk: ${whyNoDisk}.`);

const stage = setStage(["attic", "bench", "cellar"], async () => {
  if (whyNoDisk) return {};
  disk = await mkdtemp(join(tmpdir(), "skein-fleet-disk-"));
  await run("mount", ["-t", "tmpfs", "-o", `size=${DISK_MIB}m`, "skein-test", disk]);
  return { dataDirs: { cellar: join(disk, "cellar") } };
});
afterAll(async () => {
  if (!disk) return;
  await stage.fleet.end();
  await run("umount", ["--lazy", disk]);
  await rm(disk, { recursive: true });
});
beforeEach(() => stage.fleet.whole());

/** Inverts a byte in the middle of stored blobs. An agent with small ones among them is down meanwhile: their database is its own. */
async function corrupt(agent: RealAgent, hashes: readonly BlobHash[]): Promise<void> {
  const small = hashes.filter((hash) => !existsSync(blobFile(agent, hash)));
  for (const hash of hashes)
    if (!small.includes(hash)) await invertByte(blobFile(agent, hash), (size) => Math.floor(size / 2));
  if (small.length === 0) return;
  await agent.kill();
  for (const hash of small) await rotSmall(join(agent.dataDir, "blobs"), hash);
  await stage.fleet.start(agent);
  await stage.fleet.whole();
}

async function invertByte(path: string, place: (size: number) => number): Promise<void> {
  const file = await open(path, "r+");
  try {
    const byte = Buffer.alloc(1);
    const at = place((await file.stat()).size);
    await file.read(byte, 0, 1, at);
    byte[0] = ~byte[0]!;
    await file.write(byte, 0, 1, at);
  } finally {
    await file.close();
  }
}

const damagesSaid = (agent: RealAgent): BlobHash[] =>
  agent.events.filter(({ event }) => event === "blobDamaged").map(({ facts }) => facts.hash as BlobHash);

test.skipIf(whyNoDisk)("a worker whose disk is full leaves the job to the others, and takes part again", async () => {
  const { fleet } = stage;
  const full = fleet.agents[2]!;
  if ((await fleet.leader()) === full) {
    await fleet.restart(full);
    await fleet.whole();
  }
  const others = fleet.others(full);
  const pages = stage.pages(0);
  const jobId = await fleet.submit(others[0]!, pages);
  await fleet.recordedAtLeast(jobId, Math.round(pages.length * 0.2));
  await fillDisk(disk!, 0).catch((error: NodeJS.ErrnoException) => {
    // The agent took the last bytes itself in the meantime: full is full.
    if (error.code !== "ENOSPC") throw error;
  });
  expect(fleet.hasEnded(jobId, others[0]!), "the disk was full before the job had ended").toBe(false);
  await fleet.jobEnded(jobId, others);
  await freeDisk(disk!);
  await stage.expectPromisesHeld(jobId, pages);
  await fleet.whole();
});

test("an output that rots on a disk is found by its hash and fetched from another box", async () => {
  const { fleet } = stage;
  const pages = stage.pages(1);
  const jobId = await fleet.submit(fleet.agents[0]!, pages);
  await stage.expectPromisesHeld(jobId, pages);
  const { results } = await fleet.agents[0]!.client.receipt(jobId);
  const { output, holders } = results[5]!;
  const [rotten, sound] = holders.map((nodeId) => fleet.agent(nodeId)) as [RealAgent, RealAgent];
  await corrupt(rotten, [output!]);
  expect(pageOf("", await rotten.client.getBlob(output!)).blob).toBe(output);
  expect(damagesSaid(rotten)).toContain(output);
  expect(damagesSaid(sound)).toEqual([]);
  // Two copies again, on the disks themselves.
  await stage.expectPromisesHeld(jobId, pages);
});

test("inputs that rotted on one box's disk are found when it reads them and fetched from the others", async () => {
  const { fleet } = stage;
  const pages = stage.pages(1);
  const [attic, bench] = fleet.agents as [RealAgent, RealAgent];
  // Every box is made to hold every input, so that the rotten one has work to do on its own copies.
  for (const { blob, bytes } of pages) for (const agent of fleet.agents) await agent.client.putBlob(blob, bytes);
  await corrupt(
    bench,
    pages.map(({ blob }) => blob),
  );
  const jobId = await fleet.submit(attic, pages);
  await stage.expectPromisesHeld(jobId, pages);
  const worked = (await attic.client.results(jobId)).results.filter(({ node }) => node === bench.nodeId);
  expect(worked.length, "items bench worked on").toBeGreaterThan(0);
  // By whoever read it first: a run, or the scrub of a box that had nothing else to do.
  for (const { input } of worked) expect(damagesSaid(bench)).toContain(input);
});

test("an input of which the box that takes the job has only a rotten copy is refused, and taken when it is sent again", async () => {
  const { fleet } = stage;
  const [attic] = fleet.agents as [RealAgent];
  // One that travels inside the request, and one that travels in a stream of its own.
  const pages = (await cutPages(6)).toSorted((a, b) => a.bytes.length - b.bytes.length);
  const [small, large] = [pages[0]!, pages.at(-1)!];
  expect(small.bytes.length).toBeLessThan(64 * 1024);
  expect(large.bytes.length).toBeGreaterThan(64 * 1024);
  for (const page of [small, large]) {
    await attic.client.putBlob(page.blob, page.bytes);
    await corrupt(attic, [page.blob]);
    await expect(fleet.submit(attic, [page])).rejects.toMatchObject({ code: "COPIES_SHORT" });
    // The rotten copy is set aside by now, so the good bytes are not taken for known.
    const jobId = await fleet.submit(attic, [page]);
    await fleet.jobEnded(jobId);
  }
});

test("a box whose journal is damaged in the middle refuses to start and says what to do; done so, it comes back as a new node and knows all", async () => {
  const { fleet } = stage;
  const pages = stage.pages(0);
  const jobId = await fleet.submit(fleet.agents[0]!, pages);
  await stage.expectPromisesHeld(jobId, pages);
  const victim = fleet.agents[1]!;
  const journal = join(victim.dataDir, "journal");
  await victim.kill();
  const [log] = (await readdir(journal)).filter((name) => name.endsWith(".log"));
  // In the first write of many.
  await invertByte(join(journal, log!), () => 20);
  const said = await victim.skein("start");
  expect(said).toMatchObject({ exitCode: 1 });
  expect(said.err).toMatch(/journal .* is damaged .*`skein remove`.*delete its data folder.*`skein join`/);

  const helper = fleet.agents[0]!;
  await fleet.leader(fleet.others(victim));
  expect(await helper.skein("remove", victim.name)).toMatchObject({ exitCode: 0 });
  await fleet.forget(victim);
  await rm(victim.dataDir, { recursive: true });
  const reborn = await fleet.add(victim.name, helper);
  await fleet.whole();
  expect(reborn.nodeId).not.toBe(victim.nodeId);
  await fleet.jobEnded(jobId, [reborn]);
  expect((await reborn.client.results(jobId)).results).toHaveLength(pages.length);
});
