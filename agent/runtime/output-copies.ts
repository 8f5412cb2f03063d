import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type CopyPlace, copiesPossible, copiesStaying, copyTargets } from "../core/replication/index.ts";
import { type BlobAccess, type BlobToCopy, COPY_BYTES_PER_MS } from "./blob-access.ts";
import type { Surroundings } from "./surroundings.ts";
import { within } from "./waiting.ts";

/**
 * A box that takes longer to take copies is not waited for alone: the next is asked as well, for results wait for this.
 * Beside it stands what a slow link needs for the bytes, so that those are not sent twice for nothing.
 */
const PATIENCE_MS = 500;

/** How far copies of a group of outputs came. */
export interface Copied {
  /** This node first. */
  holders: ReadonlyMap<BlobHash, readonly NodeId[]>;
  /** Of each. */
  wanted: number;
  made(output: BlobHash): number;
  /** Why there are not more. */
  reason: string;
}

/**
 * Puts each of these outputs, all of which are here, on as many boxes as are wanted, this one included, or on as many as
 * will have them. The group goes to the same boxes in the same order: one request for all instead of one for each.
 */
export async function copyOutputs(
  world: Surroundings,
  blobAccess: BlobAccess,
  outputs: readonly BlobToCopy[],
  { copies, places }: { copies: number; places: CopyPlace[] },
): Promise<Copied> {
  const { self } = world.network;
  const wanted = copiesPossible(copies, places);
  const holders = new Map<BlobHash, NodeId[]>(outputs.map(({ hash }) => [hash, [self]]));
  const copied: Copied = {
    holders,
    wanted,
    made: (output) => copiesStaying(holders.get(output)!, places),
    reason: "no other box that is reachable has room",
  };
  const lacking = (): BlobToCopy[] => outputs.filter(({ hash }) => copied.made(hash) < wanted);
  const patienceMs = PATIENCE_MS + outputs.reduce((sum, { bytes }) => sum + bytes, 0) / COPY_BYTES_PER_MS;
  const underWay = new Set<Promise<void>>();
  for (const target of copyTargets(outputs[0]!.hash, places, [self], LIMITS.diskFreeBytesMin)) {
    const rest = lacking();
    if (rest.length === 0) break;
    const copying = blobAccess.copyTo(target, rest).then(
      (held) => {
        for (const hash of held) holders.get(hash)!.push(target);
      },
      (error: unknown) => {
        copied.reason = SkeinError.from(error).message;
      },
    );
    const ended = copying.finally(() => underWay.delete(ended));
    underWay.add(ended);
    await within(world.clock, patienceMs, Promise.race(underWay));
  }
  while (underWay.size > 0 && lacking().length > 0) await Promise.race(underWay);
  return copied;
}
