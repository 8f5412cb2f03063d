import { SkeinError } from "../../../../shared/errors.ts";
import type { Tensor } from "../../../../shared/tensors.ts";
import { groupsOf, rowsOf, stacked, takenApart } from "./batch.ts";
import type { ModelSession } from "./session.ts";

/** One run of a model: its inputs checked against the manifest, and the outputs that are wanted of it. */
export interface ModelRun {
  /** For messages. */
  name: string;
  inputs: Tensor[];
  wanted: readonly string[];
}

/** The wanted outputs, in their order, or why there are none. */
export type ModelRunEnd = Tensor[] | SkeinError;

/** As far as they fit together at most `rowsMax` rows at once; how each ended, in their order. */
export async function runTogether(
  session: ModelSession,
  rowsMax: number,
  runs: readonly ModelRun[],
): Promise<ModelRunEnd[]> {
  const places = new Map(runs.map((run, n) => [run, n]));
  const ends: ModelRunEnd[] = [];
  for (const group of groupsOf(runs, rowsMax)) {
    const groupEnds = await runGroup(session, group);
    for (const [n, run] of group.entries()) ends[places.get(run)!] = groupEnds[n]!;
  }
  return ends;
}

/** Together; and if that fails each alone, so that only the one at fault does. */
async function runGroup(session: ModelSession, group: readonly ModelRun[]): Promise<ModelRunEnd[]> {
  const together = group.length > 1 ? await ranStacked(session, group) : undefined;
  if (together) return together;
  const ends: ModelRunEnd[] = [];
  for (const { inputs, wanted, name } of group)
    ends.push(await session.run(inputs, wanted, name).catch((error: unknown) => SkeinError.from(error)));
  return ends;
}

async function ranStacked(session: ModelSession, group: readonly ModelRun[]): Promise<Tensor[][] | undefined> {
  const all = [...new Set(group.flatMap(({ wanted }) => wanted))];
  // Whatever it was, each alone then says it of itself.
  const outputs = await session.run(stacked(group.map(({ inputs }) => inputs)), all, "a batch").catch(() => undefined);
  const parts =
    outputs &&
    takenApart(
      outputs,
      group.map(({ inputs }) => rowsOf(inputs)!),
    );
  return parts?.map((tensors, n) => group[n]!.wanted.map((name) => tensors.find((one) => one.name === name)!));
}
