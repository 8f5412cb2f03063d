/** `skein probe`: what this box is and how an agent would use it, found without one. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import type { BoxView, ProviderTrial } from "../../shared/box.ts";
import { disagreementsOf } from "../../shared/disagreements.ts";
import { createProbe } from "../io/probe/index.ts";
import type { StorageSpeed } from "../ports/index.ts";
import { print } from "./calls.ts";
import { describeProbe, type ProbeReport } from "./describe-probe.ts";
import { type CommonOptions, clientFor, dataDirOf } from "./options.ts";
import { readRunFile } from "./run-file.ts";
import { plain } from "./table.ts";
import type { World } from "./world.ts";

/** @throws INTERNAL, if no profile fits this box or one of the project's is broken */
export async function probe(options: CommonOptions, world: World): Promise<number> {
  const dataDir = dataDirOf(options, world);
  const probe = createProbe({ dataDir, ownProfilesDir: join(dataDir, "profiles"), tryProviders });
  if (!options.json) world.err("Looking at this box; trying execution providers and the disk takes some seconds.\n");
  const [box, providers] = await Promise.all([probe.view(), probe.tryProviders()]);
  const known = (await readRunFile(dataDir))
    ? await askAgent(options, world)
    : await measureDisk(dataDir, () => probe.storageSpeed(true));
  const { links, ...speed } = known;
  const seen: BoxView = { ...box, facts: { ...box.facts, ...speed }, providers, ...(links && { links }) };
  const report: ProbeReport = { ...seen, disagreements: disagreementsOf(seen) };
  return print(options, world, report, describeProbe(report));
}

/** What cannot be told at once, or not beside an agent. */
type Known = Partial<StorageSpeed> & Pick<BoxView, "links">;

/** An agent that runs on the folder has measured its disk and its links already. */
async function askAgent(options: CommonOptions, world: World): Promise<Known> {
  try {
    const client = await clientFor(options, world);
    const { facts, links } = await client.call((one) => one.probe());
    const { fsyncMs, writeBytesPerSecond } = facts;
    return {
      ...(fsyncMs !== undefined && { fsyncMs }),
      ...(writeBytesPerSecond !== undefined && { writeBytesPerSecond }),
      ...(links && { links }),
    };
  } catch (error) {
    world.err(`The agent that runs here does not tell its links and its disk: ${plain((error as Error).message)}\n`);
    return {};
  }
}

/** Not where it would make a data folder that nobody asked for. */
async function measureDisk(dataDir: string, measure: () => Promise<StorageSpeed | undefined>): Promise<Known> {
  const isThere = await access(dataDir).then(
    () => true,
    () => false,
  );
  return (isThere ? await measure() : undefined) ?? {};
}

/** A box that runs nothing never comes here, so it does without the room's packages. */
async function tryProviders(names: readonly string[]): Promise<ProviderTrial[]> {
  const { tryProviders } = await import("../io/inference/index.ts");
  return tryProviders(names);
}
