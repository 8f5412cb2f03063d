import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../shared/ids.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import type { Peers } from "./peers.ts";

export interface CopyToCheck {
  item: number;
  name: string;
  blob: BlobHash;
  bytes: number;
  of: "input" | "output";
}

/** Of one blob, by holder. */
export interface FoundCopies {
  sound: NodeId[];
  damaged: NodeId[];
  missing: NodeId[];
  silent: NodeId[];
}

export interface CheckedCopies {
  found: Map<BlobHash, FoundCopies>;
  copiesSound: number;
  bytesRead: number;
  /** Nodes that did not answer, and why. */
  silent: Map<NodeId, string>;
}

/** Has every holder read its copies back from its own disk and hash them; all holders at once. */
export async function checkCopies(
  peers: Peers,
  copies: readonly CopyToCheck[],
  holdersOf: (blob: BlobHash) => NodeId[],
): Promise<CheckedCopies> {
  const bytesOf = new Map(copies.map(({ blob, bytes }) => [blob, bytes]));
  const byHolder = new Map<NodeId, BlobHash[]>();
  for (const blob of bytesOf.keys())
    for (const holder of holdersOf(blob)) byHolder.set(holder, [...(byHolder.get(holder) ?? []), blob]);
  const found = new Map([...bytesOf.keys()].map((blob) => [blob, nothingFound()]));
  const checked: CheckedCopies = { found, copiesSound: 0, bytesRead: 0, silent: new Map() };
  const ask = async ([holder, blobs]: [NodeId, BlobHash[]]): Promise<void> => {
    const bytes = blobs.reduce((sum, blob) => sum + bytesOf.get(blob)!, 0);
    const deadlineMs = TIMING.requestDeadlineMs + bytes / LIMITS.checkBytesPerMsMin;
    try {
      const answer = await peers.ask(holder, "check", { blobs }, { deadlineMs });
      // A holder that leaves a copy out has not said that it is sound.
      for (const blob of blobs) {
        const state = answer.sound.includes(blob) ? "sound" : answer.damaged.includes(blob) ? "damaged" : "missing";
        found.get(blob)![state].push(holder);
        if (state === "sound") checked.copiesSound++;
        if (state === "sound") checked.bytesRead += bytesOf.get(blob)!;
      }
    } catch (error) {
      for (const blob of blobs) found.get(blob)!.silent.push(holder);
      checked.silent.set(holder, SkeinError.from(error).message);
    }
  };
  await Promise.all([...byHolder].map(ask));
  return checked;
}

const nothingFound = (): FoundCopies => ({ sound: [], damaged: [], missing: [], silent: [] });
