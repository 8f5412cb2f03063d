/** The pages of the fleet tests: strips cut from the bundled samples, small enough that a job takes seconds. */
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import type { BlobHash } from "../../shared/ids.ts";
import { RealFleet } from "./real-fleet.ts";

export interface Page {
  name: string;
  bytes: Uint8Array;
  blob: BlobHash;
}

const SAMPLES = new URL("../../agent/samples/pages/", import.meta.url).pathname;
/** How many sets one box alone reads before the tests. */
export const PAGE_SETS = 5;
const STRIP = { width: 600, height: 200 };

export const pageOf = (name: string, bytes: Uint8Array): Page => ({
  name,
  bytes,
  blob: createHash("sha256").update(bytes).digest("hex") as BlobHash,
});

/**
 * Two strips of each of the twelve samples. Each `set` cuts elsewhere: a fleet that has read one set before must not find
 * the outputs of the next on its disks already.
 */
export async function cutPages(set: number): Promise<Page[]> {
  const samples = (await readdir(SAMPLES)).filter((file) => !file.endsWith(".txt")).sort();
  const heights = [0, 1].map((half) => 0.04 + 0.4 * half + 0.05 * set);
  const strips = heights.flatMap((height, half) => samples.map((file) => ({ file, height, half })));
  return Promise.all(
    strips.map(async ({ file, height, half }) => {
      const image = sharp(join(SAMPLES, file));
      const top = Math.round(height * (await image.metadata()).height);
      const bytes = await image
        .extract({ left: 10, top, ...STRIP })
        .png({ compressionLevel: 1 })
        .toBuffer();
      return pageOf(`set-${set}-${half}-${file.replace(/\.\w+$/, "")}.png`, bytes);
    }),
  );
}

/** What one box alone makes of these pages, by the pages' hashes: the bytes that every fleet must equal. */
export async function readAlone(pages: readonly Page[]): Promise<Map<BlobHash, Uint8Array>> {
  const fleet = await RealFleet.raise(["alone"], { executors: 2 });
  try {
    const agent = fleet.agents[0]!;
    const jobId = await fleet.submit(agent, pages);
    await fleet.jobEnded(jobId, [agent]);
    return new Map([...(await fleet.outputs(jobId, agent))].map(([item, bytes]) => [pages[item]!.blob, bytes]));
  } finally {
    await fleet.end();
  }
}
