import type { FleetRecovery, RosterNode } from "../fleet.ts";
import { LIMITS } from "../limits.ts";
import { checkCount, checkFinite, checkList, checkNodeId, checkText, type Fields } from "./codec.ts";
import { addresses, checkLabels, labelFields } from "./ledger.ts";

export const rosterFields = (roster: readonly RosterNode[]): object[] =>
  roster.map((node) => ({ ...node, witness: node.part === "witness", labels: labelFields(node.labels ?? {}) }));

export const checkRoster = (value: unknown): RosterNode[] =>
  checkList(value, "roster", LIMITS.nodesMax, (one) => checkRosterNode(one as Fields));

/** The ledger makes names its own by a number at their end. */
const checkName = (value: unknown): string => checkText(value, "node name", LIMITS.nameBytesMax + 8);

const checkRosterNode = (f: Fields): RosterNode => ({
  nodeId: checkNodeId(f.nodeId, "node id"),
  name: checkName(f.name),
  addresses: addresses(f.addresses),
  admittedAtIndex: checkCount(f.admittedAtIndex, "admittedAtIndex"),
  ...(f.witness ? { part: "witness" as const } : {}),
  ...(f.drained ? { drained: true as const } : {}),
  ...(f.leaving ? { leaving: true as const } : {}),
  ...((f.labels as unknown[]).length > 0 ? { labels: checkLabels(f.labels) } : {}),
});

/** @throws FRAME_INVALID */
export const checkRecovery = (f: Fields): FleetRecovery => ({
  recoveredBy: checkNodeId(f.recoveredBy, "recoveredBy"),
  recoveredAtMs: checkFinite(f.recoveredAtMs, "recoveredAtMs"),
  removed: checkList(f.removed, "removed", LIMITS.nodesMax, (value) => {
    const one = value as Fields;
    return { nodeId: checkNodeId(one.nodeId, "node id"), name: checkName(one.name) };
  }),
  atIndex: checkCount(f.atIndex, "atIndex"),
});
