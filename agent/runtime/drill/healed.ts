import { SkeinError } from "../../../shared/errors.ts";
import type { NodeId } from "../../../shared/ids.ts";
import type { Surroundings } from "../surroundings.ts";
import { isThere } from "./fleet-facts.ts";
import type { DrillParts } from "./parts.ts";
import { isHarmed } from "./watch.ts";

export interface Harmed {
  victim: NodeId;
  /** When the agent was started that was harmed; another is another life. */
  startedAtMs: number | undefined;
}

const ASK_MS = 1_500;

/** Heard, linked, measured, with room, and as far in the log as this node is now. */
export async function isHealed(
  { telemetry }: Surroundings,
  { nodes, standing, ledger, peers }: DrillParts,
  { victim, startedAtMs, mustHaveRestarted }: Harmed & { mustHaveRestarted: boolean },
): Promise<boolean> {
  const node = nodes().find(({ nodeId }) => nodeId === victim);
  if (!node || !isThere(node) || isHarmed(node) || standing.leader() === undefined) return false;
  const { report, role } = node;
  if (!report || (mustHaveRestarted && report.startedAtMs === startedAtMs)) return false;
  if (report.executors > 0 && report.rates.length === 0) return false;
  if (role !== "voter") return true;
  const { appliedIndex } = ledger;
  try {
    const { applied } = await peers.ask(victim, "standing", {}, { deadlineMs: ASK_MS });
    return applied >= appliedIndex;
  } catch (error) {
    telemetry.log("debug", "standingMissing", { victim, reason: SkeinError.from(error).message });
    return false;
  }
}
