/** Copies of fresh outputs: where they go, and that nobody waits for one slow box. */
import { expect, test } from "vitest";
import type { BlobAccess, BlobToCopy } from "../../../agent/runtime/blob-access.ts";
import { copyOutputs } from "../../../agent/runtime/output-copies.ts";
import type { Surroundings } from "../../../agent/runtime/surroundings.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import { A, B, blob, C, node } from "../../support/nouns.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const D = node("d");
const outputs: BlobToCopy[] = [1, 2].map((n) => ({ hash: blob(n), bytes: 10 }));
const places = [A, B, C, D].map((nodeId) => ({ nodeId, live: true, diskFreeBytes: 1e12 }));

/** How long each box takes to take a copy; one that is not named refuses at once. */
async function copy(takesMs: ReadonlyMap<NodeId, number>, copies: number) {
  const clock = new VirtualClock();
  const asked: NodeId[] = [];
  const copyTo = (to: NodeId, blobs: readonly BlobToCopy[]): Promise<Set<BlobHash>> => {
    asked.push(to);
    const ms = takesMs.get(to);
    if (ms === undefined) return Promise.reject(new SkeinError("DISK_FULL", { reason: "full" }));
    return new Promise((resolve) => {
      clock.after(ms, () => resolve(new Set(blobs.map(({ hash }) => hash))));
    });
  };
  const world = { clock, network: { self: A } } as unknown as Surroundings;
  let copied: Awaited<ReturnType<typeof copyOutputs>> | undefined;
  void copyOutputs(world, { copyTo } as BlobAccess, outputs, { copies, places }).then((told) => {
    copied = told;
  });
  while (!copied && clock.monotonicMs() < 60_000) await clock.runUntil(clock.monotonicMs() + 10);
  return { asked, atMs: clock.monotonicMs(), copied: copied! };
}

/** In the order in which the group is offered to them. */
async function order(): Promise<NodeId[]> {
  return (await copy(new Map(), 2)).asked;
}

test("the group goes to one box after the other, and no further than is wanted", async () => {
  const { asked, copied } = await copy(new Map([B, C, D].map((one) => [one, 5])), 2);
  expect(asked).toHaveLength(1);
  for (const { hash } of outputs) expect(copied.holders.get(hash)).toEqual([A, asked[0]]);
});

test("a box that takes long is joined by the next, and whoever is done first counts", async () => {
  const [first, second] = await order();
  const { asked, copied, atMs } = await copy(
    new Map([
      [first!, 30_000],
      [second!, 20],
    ]),
    2,
  );
  expect(asked).toEqual([first, second]);
  expect(copied.holders.get(outputs[0]!.hash)).toEqual([A, second]);
  expect(atMs).toBeLessThan(1_000);
});

test("the slow one counts where no other can take it", async () => {
  const [first] = await order();
  const { asked, copied } = await copy(new Map([[first!, 5_000]]), 2);
  expect(asked).toHaveLength(3);
  expect(copied.holders.get(outputs[1]!.hash)).toEqual([A, first]);
});

test("too few copies are told with the reason", async () => {
  const { copied } = await copy(new Map(), 2);
  expect(copied.made(outputs[0]!.hash)).toBe(1);
  expect(copied.reason).toContain("full");
});
