import type { NodeId } from "../../../shared/ids.ts";
import {
  isLost,
  type MembershipChange,
  type MembershipInput,
  type MembershipNode,
  type MembershipStep,
} from "./input.ts";

/** A set of full voters that would be better than the present one. Witnesses follow from it. */
interface Plan {
  full: MembershipNode[];
  because: string;
}

/** The first plan that changes anything and that the voters at hand can agree on, before and after. */
export function votersNext(input: MembershipInput): MembershipChange | undefined {
  for (const plan of plansFor(input)) {
    const steps = stepsTo(input, plan.full);
    if (steps.length > 0 && isAgreeable(input, steps)) return { steps, because: plan.because };
  }
  return undefined;
}

/** Most pressing first. The last changes no full voter: it only lets a witness come or go. */
function plansFor(input: MembershipInput): Plan[] {
  const { roster, voters, votersMax } = input;
  const full = roster.filter((node) => node.part === "full" && voters.includes(node.nodeId));
  const ready = roster.filter((node) => node.part === "full" && isReady(input, node));
  return [
    ...leaving(input, full, ready),
    ...replacing(input, full, ready),
    ...shrinking(input, full),
    ...growing(full, ready, votersMax, witnessFor(input) !== undefined),
    { full, because: full.length % 2 === 0 ? "a witness makes the votes odd" : "the votes are odd without a witness" },
  ];
}

/** Off the roster is out, and whoever is ready takes the seat in the same step. One at a time if all at once is too many. */
function leaving(input: MembershipInput, full: MembershipNode[], ready: MembershipNode[]): Plan[] {
  const { roster, voters, votersMax } = input;
  const strays = voters.filter((nodeId) => !roster.some((node) => node.nodeId === nodeId));
  if (strays.length === 0) return [];
  const because = "a voter is off the roster";
  const heirs = ready.slice(0, Math.max(0, Math.min(strays.length, votersMax - full.length)));
  return [
    { full: [...full, ...heirs], because },
    { full, because },
  ];
}

function replacing(input: MembershipInput, full: MembershipNode[], ready: MembershipNode[]): Plan[] {
  const gone = full.filter((node) => isLost(input, node)).sort((a, b) => b.absentForMs - a.absentForMs);
  const [heir] = ready;
  if (!heir) return [];
  return gone.map((lost) => ({
    full: [...full.filter((node) => node !== lost), heir],
    because: `${lost.name} is gone, and ${heir.name} has caught up`,
  }));
}

/** The most voters was made smaller: whoever is not there goes first, then whoever came last. */
function shrinking({ self, votersMax }: MembershipInput, full: MembershipNode[]): Plan[] {
  const surplus = full.length - Math.max(1, votersMax);
  if (surplus <= 0) return [];
  const others = full.filter((node) => node.nodeId !== self).toReversed();
  const order = others.sort((a, b) => Number(a.presence === "fresh") - Number(b.presence === "fresh"));
  const out = order.slice(0, surplus);
  return [{ full: full.filter((node) => !out.includes(node)), because: `at most ${votersMax} voters are wanted` }];
}

/**
 * Four voters survive no more losses than three, and each agreement costs one more: so the votes grow from odd to odd, two
 * seats at a time or one with a witness. Two boxes alone both vote: then each holds all that was agreed.
 */
function growing(full: MembershipNode[], ready: MembershipNode[], votersMax: number, hasWitness: boolean): Plan[] {
  const room = Math.min(votersMax - full.length, ready.length);
  const isEven = full.length % 2 === 0;
  const wanted = isEven ? 1 : room >= 2 ? 2 : hasWitness || full.length === 1 ? 1 : 0;
  if (wanted === 0 || room < wanted) return [];
  const heirs = ready.slice(0, wanted);
  const names = heirs.map((node) => node.name).join(" and ");
  return [{ full: [...full, ...heirs], because: `${names} caught up and a seat is open` }];
}

/** A learner that could vote at once. */
const isReady = ({ learners }: MembershipInput, node: MembershipNode): boolean =>
  learners.includes(node.nodeId) && node.isCaughtUp && node.presence === "fresh";

/** Who evens out the votes: the present one unless it is gone and another is there. */
function witnessFor(input: MembershipInput): MembershipNode | undefined {
  const { roster, voters } = input;
  const witnesses = roster.filter((node) => node.part === "witness");
  const present = witnesses.find((node) => voters.includes(node.nodeId));
  if (present && !isLost(input, present)) return present;
  return witnesses.find((node) => node.presence === "fresh") ?? present;
}

function stepsTo(input: MembershipInput, full: readonly MembershipNode[]): MembershipStep[] {
  const witness = full.length % 2 === 0 ? witnessFor(input) : undefined;
  const next = [...full, ...(witness ? [witness] : [])];
  const out = input.voters.filter((nodeId) => !next.some((node) => node.nodeId === nodeId));
  // Raft knows one witness at a time: the next one comes when the last one has left.
  const isOneLeaving = input.witnesses.some((nodeId) => out.includes(nodeId));
  const come = next
    .filter((node) => !input.voters.includes(node.nodeId) && !(node.part === "witness" && isOneLeaving))
    .map(
      ({ nodeId, part }): MembershipStep => ({ kind: part === "witness" ? "addWitness" : "addVoter", node: nodeId }),
    );
  return [...out.map((node): MembershipStep => ({ kind: "remove", node })), ...come];
}

/** The old voters must agree on the change and the new ones on all that follows: a majority of each answers now. */
function isAgreeable({ voters, reachable }: MembershipInput, steps: readonly MembershipStep[]): boolean {
  const out = steps.filter((step) => step.kind === "remove").map((step) => step.node);
  const come = steps.filter((step) => step.kind !== "remove").map((step) => step.node);
  const next = [...voters.filter((nodeId) => !out.includes(nodeId)), ...come];
  const hasQuorum = (half: readonly NodeId[]): boolean =>
    half.filter((nodeId) => reachable.has(nodeId)).length > half.length / 2;
  return hasQuorum(voters) && hasQuorum(next);
}
