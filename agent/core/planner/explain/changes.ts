import { refuse } from "../../../../shared/checks.ts";
import { SkeinError } from "../../../../shared/errors.ts";
import type { NodeId } from "../../../../shared/ids.ts";
import { LIMITS } from "../../../../shared/limits.ts";

/** What people ask to be thought through. */
export type Change =
  | { kind: "add"; like: string; text: string }
  | { kind: "remove"; node: string; text: string }
  | { kind: "memory"; node: string; bytes: number; text: string };

const UNITS: Record<string, number> = { kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 };
const BYTES = /^(\d+(?:\.\d+)?)\s*(kb|mb|gb|tb|kib|mib|gib)$/i;

/**
 * `add CLASS`, `add like NODE`, `remove NODE`, `memory NODE 8GB`.
 * @throws BAD_REQUEST
 */
export function readChange(text: string): Change {
  const plain = text.trim().replace(/\s+/g, " ");
  const [verb = "", ...rest] = plain.split(" ");
  const said = rest.join(" ");
  if (verb === "add" && said !== "") return { kind: "add", like: said.replace(/^like /, ""), text: plain };
  if (verb === "remove" && said !== "") return { kind: "remove", node: said, text: plain };
  if (verb === "memory" && rest.length >= 2) {
    const [, figure, unit] =
      BYTES.exec(rest.at(-1)!) ?? refuse("whatIf", `${shown(rest.at(-1)!)} is no memory; write it as 8GB or 512MB`);
    const bytes = Math.round(Number(figure) * UNITS[unit!.toLowerCase()]!);
    if (bytes > 2 ** 50) refuse("whatIf", `${shown(rest.at(-1)!)} is more than any box has`);
    return { kind: "memory", node: rest.slice(0, -1).join(" "), bytes, text: plain };
  }
  return refuse("whatIf", `${shown(plain)} is none of "add CLASS", "add like NODE", "remove NODE", "memory NODE 8GB"`);
}

const shown = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);

/** @throws BAD_REQUEST */
export function readChanges(texts: readonly string[]): Change[] {
  if (texts.length > LIMITS.whatIfsMax) refuse("whatIf", `takes at most ${LIMITS.whatIfsMax} changes`);
  return texts.map(readChange);
}

interface Named {
  nodeId: string;
  name: string;
}

/** By name or id. @throws NODE_UNKNOWN */
export function nodeNamed<N extends Named>(nodes: readonly N[], text: string): N {
  const found = nodes.find((node) => node.name === text) ?? nodes.find((node) => node.nodeId === text);
  if (!found) throw new SkeinError("NODE_UNKNOWN", { node: text, decided: true });
  return found;
}

const letters = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, "");

/**
 * The node that a box to be added is like: the one of that name, or of the class (the firmware profile) that is named or
 * meant: "pi5" means `raspberry-pi-5`. Of several the one in the middle by `speed`, so that one that is hot or new misleads
 * nobody. @throws BAD_REQUEST if none is known to the decision
 */
export function likeNode<N extends Named>(
  nodes: readonly N[],
  like: string,
  classOf: (node: N) => string | undefined,
  speed: (node: N) => number,
): N {
  const named = nodes.find((node) => node.name === like || node.nodeId === like);
  if (named) return named;
  const meant = letters(like);
  const alike = nodes.filter((node) => {
    const known = letters(classOf(node) ?? "");
    return meant !== "" && known !== "" && (known === meant || known.includes(meant));
  });
  const known = alike.filter((node) => speed(node) > 0).sort((a, b) => speed(a) - speed(b));
  const middle = known[known.length >> 1];
  if (middle) return middle;
  const classes = [...new Set(nodes.filter((node) => speed(node) > 0).map(classOf))].filter((one) => one !== undefined);
  const which = classes.length > 0 ? `known then were ${classes.join(", ")}` : "no box was measured then";
  return refuse("whatIf", `how fast a box like ${shown(like)} is was not known when this was decided; ${which}`);
}

/** What a change does to the nodes. `known` are those of the decision, whatever was changed before. */
type Changing<N> = (nodes: readonly N[], change: Change, about: Changed<N>) => N[];

export interface Changed<N> {
  known: readonly N[];
  /** An id for a node that comes with this change. */
  newId: NodeId;
  /** To be told with the answer. */
  notes: string[];
}

/** The nodes of a decision after these changes, one upon the other. @throws NODE_UNKNOWN, BAD_REQUEST */
export function changedBy<N extends { nodeId: NodeId }>(
  known: readonly N[],
  texts: readonly string[],
  change: Changing<N>,
): { nodes: N[]; changes: string[]; notes: string[]; withThese: string } {
  const changes = readChanges(texts);
  const notes: string[] = [];
  let nodes = [...known];
  for (const [place, one] of changes.entries())
    nodes = change(nodes, one, { known, newId: `~added-${place}` as NodeId, notes });
  const withThese = `With ${changes.length === 1 ? "this change" : "these changes"}`;
  return { nodes, changes: changes.map(({ text }) => text), notes, withThese };
}
