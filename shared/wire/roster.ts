import type { RosterNode } from "../fleet.ts";
import { LIMITS } from "../limits.ts";
import { checkCount, checkList, checkNodeId, checkText, type Fields } from "./codec.ts";
import { addresses } from "./ledger.ts";

export const rosterFields = (roster: readonly RosterNode[]): object[] =>
  roster.map((node) => ({ ...node, witness: node.part === "witness" }));

export const checkRoster = (value: unknown): RosterNode[] =>
  checkList(value, "roster", LIMITS.nodesMax, (one) => checkRosterNode(one as Fields));

const checkRosterNode = (f: Fields): RosterNode => ({
  nodeId: checkNodeId(f.nodeId, "node id"),
  name: checkText(f.name, "node name", LIMITS.nameBytesMax + 8),
  addresses: addresses(f.addresses),
  admittedAtIndex: checkCount(f.admittedAtIndex, "admittedAtIndex"),
  ...(f.witness ? { part: "witness" as const } : {}),
});
