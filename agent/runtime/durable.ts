import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../shared/ids.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import { type CopyPlace, copiesPossible, copiesStaying, copyTargets } from "../core/replication/index.ts";
import type { BlobAccess } from "./blob-access.ts";
import type { Surroundings } from "./surroundings.ts";

/** Blobs looked for on this disk at once. */
const LOOKUPS_AT_ONCE = 64;
/** Small ones go to another box in so many rows of requests side by side: its answer to each waits for a disk. */
const SMALL_LANES = 4;
/** The first makes the copies, the second finds them there. */
const DURABLE_TRIES = 3;

/** A blob that was uploaded to this node, and what people call it. */
export interface NamedBlob {
  name: string;
  blob: BlobHash;
  bytes: number;
}

export interface DurableParts {
  blobAccess: BlobAccess;
  places: () => CopyPlace[];
}

/** That they are on this disk, and as long as was said. @throws BLOB_MISSING, BAD_REQUEST */
export async function checkBlobs(world: Surroundings, blobs: readonly NamedBlob[]): Promise<void> {
  for (let from = 0; from < blobs.length; from += LOOKUPS_AT_ONCE)
    await Promise.all(
      blobs.slice(from, from + LOOKUPS_AT_ONCE).map(async ({ name, blob, bytes }) => {
        const actual = await world.blobs.size(blob);
        if (actual === undefined) throw new SkeinError("BLOB_MISSING", { hash: blob, name });
        if (actual !== bytes)
          throw new SkeinError("BAD_REQUEST", { reason: `${name} has ${actual} bytes, not ${bytes}` });
      }),
    );
}

interface Sized {
  hash: BlobHash;
  bytes: number;
}

/** Large ones fill a link by themselves, and one row of them keeps to the deadlines of their requests on a slow one. */
function lanesOf(blobs: readonly Sized[]): Sized[][] {
  const isSmall = ({ bytes }: Sized): boolean => bytes <= LIMITS.smallInHandBytesMax;
  const small = blobs.filter(isSmall);
  const perLane = Math.ceil(small.length / SMALL_LANES);
  const lanes = Array.from({ length: SMALL_LANES }, (_, n) => small.slice(n * perLane, (n + 1) * perLane));
  return [...lanes, blobs.filter((blob) => !isSmall(blob))].filter((lane) => lane.length > 0);
}

/**
 * Copies blobs that are here to as many other nodes as the copies rule wants; one set of nodes for all of them. What was found
 * here or there long ago may have been let go with a job meanwhile: when it took long, it is looked for again, which is quick.
 * @throws BLOB_MISSING, COPIES_SHORT
 */
export async function makeDurable(
  world: Surroundings,
  parts: DurableParts,
  blobs: readonly NamedBlob[],
  copies: number,
): Promise<NodeId[]> {
  for (let tries = 0; tries < DURABLE_TRIES; tries++) {
    const begunAtMs = world.clock.monotonicMs();
    await checkBlobs(world, blobs);
    const holders = await copyToOthers(world, parts, blobs, copies);
    if (world.clock.monotonicMs() - begunAtMs < TIMING.blobLetGoMs / 2) return holders;
  }
  throw new SkeinError("COPIES_SHORT", {
    made: 1,
    wanted: copies,
    reason: "the links are too slow to be sure of them",
  });
}

async function copyToOthers(
  world: Surroundings,
  parts: DurableParts,
  blobs: readonly NamedBlob[],
  copies: number,
): Promise<NodeId[]> {
  const self = world.network.self;
  const places = parts.places();
  const wanted = copiesPossible(copies, places);
  const unique = new Map(blobs.map(({ blob, bytes }) => [blob, { hash: blob, bytes }]));
  const holders: NodeId[] = [self];
  const made = (): number => copiesStaying(holders, places);
  let reason = "no other node is reachable";
  for (const target of copyTargets(blobs[0]!.blob, places, holders, LIMITS.diskFreeBytesMin)) {
    if (made() >= wanted) break;
    try {
      await Promise.all(lanesOf([...unique.values()]).map((lane) => parts.blobAccess.copyTo(target, lane)));
      holders.push(target);
    } catch (error) {
      reason = SkeinError.from(error).message;
    }
  }
  if (made() < wanted) throw new SkeinError("COPIES_SHORT", { made: made(), wanted, reason });
  return holders;
}
