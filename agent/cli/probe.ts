/** `skein probe`: what this box is and how an agent would use it, found without one. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import type { BoxView, ProviderTrial } from "../../shared/box.ts";
import { disagreementsOf } from "../../shared/disagreements.ts";
import { createProbe } from "../io/probe/index.ts";
import { print } from "./calls.ts";
import { describeProbe, type ProbeReport } from "./describe-probe.ts";
import { type CommonOptions, dataDirOf } from "./options.ts";
import { readRunFile } from "./run-file.ts";
import type { World } from "./world.ts";

/** @throws INTERNAL, if no profile fits this box or one of the project's is broken */
export async function probe(options: CommonOptions, world: World): Promise<number> {
  const dataDir = dataDirOf(options, world);
  const probe = createProbe({ dataDir, ownProfilesDir: join(dataDir, "profiles"), tryProviders });
  if (!options.json) world.err("Looking at this box; trying execution providers and the disk takes some seconds.\n");
  const [box, providers] = await Promise.all([probe.view(), probe.tryProviders()]);
  const speed = (await mayMeasure(dataDir)) ? await probe.storageSpeed(true) : undefined;
  const seen: BoxView = { ...box, facts: { ...box.facts, ...speed }, providers };
  const report: ProbeReport = { ...seen, disagreements: disagreementsOf(seen) };
  return print(options, world, report, describeProbe(report));
}

/** A box that runs nothing never comes here, so it does without the room's packages. */
async function tryProviders(names: readonly string[]): Promise<ProviderTrial[]> {
  const { tryProviders } = await import("../io/inference/index.ts");
  return tryProviders(names);
}

/** Not beside an agent, which measures the disk itself, and not where it would make a data folder that nobody asked for. */
async function mayMeasure(dataDir: string): Promise<boolean> {
  const isThere = await access(dataDir).then(
    () => true,
    () => false,
  );
  return isThere && (await readRunFile(dataDir)) === undefined;
}
