import { SkeinError } from "../../../shared/errors.ts";
import type { Explanation } from "../../../shared/explanation.ts";
import type { JobId } from "../../../shared/ids.ts";
import { plain } from "../table.ts";
import type { LocalAgent, LocalFleet } from "./local-fleet.ts";

/** How the leader split the job and why, and what had been without one box; asked before anything is unplugged. */
export async function explained(fleet: LocalFleet, agent: LocalAgent, jobId: JobId): Promise<Explanation> {
  let told: Explanation | undefined;
  await fleet.waitFor(agent, async ({ client }) => {
    try {
      told = await client.explain(jobId, "", `remove ${fleet.agents.at(-1)!.name}`);
      return true;
    } catch (error) {
      // The decision is agreed on like everything else, a moment after the job.
      if (SkeinError.from(error).code !== "DECISION_MISSING") throw error;
      return false;
    }
  });
  return told!;
}

/** In a few lines; `skein explain` says more. */
export function explainedText({ what, says, nodes, bound, whatIf }: Explanation): string {
  const shares = nodes.map(({ name, figures, because }) => `  ${name} ${figures.items}: ${because}.`);
  const lines = [
    `How the pages were split, and why (\`skein explain ${what}\`)`,
    ...says.map((one) => `  ${one}`),
    ...shares,
    ...(bound ? [`  ${bound.says}`] : []),
    ...(whatIf ? [`  What if "${whatIf.changes.join(", ")}": ${whatIf.says.join(" ")}`] : []),
  ];
  return lines.map((line) => `${plain(line)}\n`).join("");
}
