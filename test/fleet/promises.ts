/** What must hold after every mishap: the outputs of one box alone, all of them, once each, on two boxes, one story. */
import { afterAll, afterEach, beforeAll, expect, inject } from "vitest";
import type { BlobHash, JobId } from "../../shared/ids.ts";
import type { Receipt } from "../../shared/job.ts";
import { cutPages, PAGE_SETS, type Page } from "./pages.ts";
import { soundOnDisk } from "./real-agent.ts";
import { type RaiseOptions, RealFleet, recordsOf } from "./real-fleet.ts";

/** What a file of tests shares: one fleet, and sets of pages with what one box alone makes of them. */
export interface Stage {
  readonly fleet: RealFleet;
  pages(set: number): readonly Page[];
  /** What one box alone makes of a page of the sets. */
  alone(page: Page): Uint8Array;
  /** Waits for the end of the job on every agent and holds the fleet to its promises. */
  expectPromisesHeld(jobId: JobId, pages: readonly Page[]): Promise<void>;
}

/** Raises a fleet for the tests of this file; its agents' last words are printed when one of them fails. */
export function setStage(names: readonly string[], options: () => Promise<RaiseOptions> = async () => ({})): Stage {
  let fleet: RealFleet | undefined;
  let pages: Page[][] = [];
  const alone = new Map(
    Object.entries(inject("alone")).map(([page, output]) => [page as BlobHash, Buffer.from(output, "base64")]),
  );
  const raised = (): RealFleet => {
    if (!fleet) throw new Error("the fleet was not raised");
    return fleet;
  };
  beforeAll(async () => {
    pages = await Promise.all(Array.from({ length: PAGE_SETS }, (_, set) => cutPages(set)));
    fleet = await RealFleet.raise(names, await options());
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") console.error(await fleet?.logs());
  });
  afterAll(() => RealFleet.endAll());
  return {
    get fleet() {
      return raised();
    },
    pages: (set) => pages[set]!,
    alone: (page) => alone.get(page.blob)!,
    expectPromisesHeld: (jobId, read) => expectPromisesHeld(raised(), jobId, read, alone),
  };
}

async function expectPromisesHeld(
  fleet: RealFleet,
  jobId: JobId,
  pages: readonly Page[],
  alone: ReadonlyMap<BlobHash, Uint8Array>,
): Promise<void> {
  await fleet.jobEnded(jobId);
  expectRecordedOnce(fleet, jobId, pages.length);
  await fleet.poll("every result has two copies", async () =>
    (await fleet.receipts(jobId)).every((receipt) => receipt.copiesMin >= 2),
  );
  const receipts = await fleet.receipts(jobId);
  const [receipt] = receipts as [Receipt];
  expect(receipt.job).toMatchObject({ state: "done", itemsRecorded: pages.length, itemsFailed: 0 });
  for (const other of receipts) expect(storyOf(other)).toEqual(storyOf(receipt));
  for (const agent of fleet.agents) {
    const outputs = await fleet.outputs(jobId, agent);
    const wrong = pages.filter((page, item) => !equal(outputs.get(item), alone.get(page.blob)));
    expect(
      wrong.map((page) => page.name),
      `pages that ${agent.name} hands out otherwise than one box alone`,
    ).toEqual([]);
  }
  expect(await scarceOutputs(fleet, receipt), "outputs that are whole on fewer than two disks").toEqual([]);
}

/** In no life did an agent apply an item's record twice, and all lives of all agents speak of the same record. */
function expectRecordedOnce(fleet: RealFleet, jobId: JobId, items: number): void {
  const indexes = new Map<number, Set<number>>();
  for (const agent of fleet.agents)
    for (const life of agent.lives) {
      const records = recordsOf(life.events, jobId).map(
        ({ facts }) => facts as { item: number; recordedAtIndex: number },
      );
      const applied = records.map((record) => record.item);
      expect(
        applied.toSorted((a, b) => a - b),
        `${agent.name} applied a record twice`,
      ).toEqual([...new Set(applied)].sort((a, b) => a - b));
      if (life === agent.lives.at(-1)) expect(applied, `${agent.name} lacks records`).toHaveLength(items);
      for (const { item, recordedAtIndex } of records)
        indexes.set(item, (indexes.get(item) ?? new Set()).add(recordedAtIndex));
    }
  const torn = [...indexes].filter(([, at]) => at.size !== 1);
  expect(torn, "items that agents say were recorded at different indexes").toEqual([]);
}

/** Who did what, with which outcome, recorded where. */
const storyOf = (receipt: Receipt) => ({
  submittedAtIndex: receipt.submittedAtIndex,
  results: receipt.results.map(({ holders: _, ...rest }) => rest),
});

const equal = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;

/** Counted on the disks themselves, whatever the agents say. */
async function scarceOutputs(fleet: RealFleet, receipt: Receipt): Promise<string[]> {
  const outputs = receipt.results.map(({ output }) => output!);
  const held = await Promise.all(fleet.agents.map((agent) => soundOnDisk(agent, outputs)));
  return receipt.results
    .filter(({ output }) => held.filter((sound) => sound.has(output!)).length < 2)
    .map(({ name }) => name);
}
