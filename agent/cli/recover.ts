/** `skein recover`: for a fleet that lost its quorum for good. Says what is left and what may be lost, and asks. */
import { SkeinError } from "../../shared/errors.ts";
import type { JobLoss, MissingNode, RecoveryView } from "../../shared/recovery.ts";
import { print } from "./calls.ts";
import { type CommonOptions, clientFor } from "./options.ts";
import { duration, plain, plural, table } from "./table.ts";
import type { World } from "./world.ts";

export interface RecoverOptions extends CommonOptions {
  yes?: string;
}

const ASKED_WRONGLY = 2;
/** Items named one by one. */
const ITEMS_NAMED = 12;

export async function recover(options: RecoverOptions, world: World): Promise<number> {
  // It is done on one box, so one agent is asked, also if several are named.
  const client = await clientFor(options.api ? { ...options, api: options.api.slice(0, 1) } : options, world);
  const view = await client.call((one) => one.recoveryView());
  const refusal = view.refusal && SkeinError.from(view.refusal);
  if (options.json && (refusal || options.yes === undefined)) {
    print(options, world, view, "");
    return refusal?.exitCode ?? 0;
  }
  if (!options.json) world.out(describeRecovery(view));
  if (refusal) throw refusal;
  const missing = view.missing.map((node) => node.nodeId);
  const names = view.missing.map((node) => plain(node.name)).join(", ");
  const typed = options.yes ?? (await world.ask(`Type the fleet's name to go on without ${names}: `));
  if (typed !== view.fleetName) {
    world.err(
      typed === undefined
        ? `Nothing was done. Without a terminal, say it with --yes "${plain(view.fleetName)}".\n`
        : `Nothing was done: the fleet is called "${plain(view.fleetName)}".\n`,
    );
    return ASKED_WRONGLY;
  }
  const answer = await client.call((one) => one.recover({ fleetName: typed, missing }));
  const text = `The fleet goes on from this box's log, in term ${answer.term}, without ${names}. The other boxes that are reachable come in again by themselves.\n`;
  return print(options, world, { view, answer }, text);
}

export function describeRecovery(view: RecoveryView): string {
  return [reachableTable(view), missingTable(view.missing), whatMayBeLost(view), ""].join("\n");
}

function reachableTable({ survivors, self }: RecoveryView): string {
  const rows = survivors.map(({ nodeId, name, role, standing }) => [
    `${name}${nodeId === self ? " *" : ""}`,
    role,
    standing ? (standing.keepsLog ? String(standing.lastIndex) : "no log") : "does not say",
    standing ? String(standing.lastTerm) : "-",
    standing ? String(standing.commit) : "-",
    standing?.leads ? "yes" : "no",
  ]);
  return table(["REACHABLE", "PART", "LAST ENTRY", "OF TERM", "COMMITTED", "LEADS"], rows, [
    "LAST ENTRY",
    "OF TERM",
    "COMMITTED",
  ]);
}

function missingTable(missing: readonly MissingNode[]): string {
  if (missing.length === 0) return "Nobody is missing.\n";
  const rows = missing.map(({ name, role, silentMs }) => [
    name,
    role,
    silentMs === undefined ? "not since this agent started" : `${duration(silentMs)} ago`,
  ]);
  return table(["MISSING", "PART", "LAST HEARD"], rows);
}

function whatMayBeLost({ survivors, losses, missing, self }: RecoveryView): string {
  const [furthest] = survivors;
  if (missing.length === 0 || !furthest?.standing?.keepsLog) return "";
  const { lastIndex } = furthest.standing;
  const applied = survivors.find((node) => node.nodeId === self)?.standing?.applied ?? 0;
  const learner =
    furthest.role === "voter" ? "" : ` It is a ${furthest.role} and never counted; that does not matter for this.`;
  return [
    `The log of ${plain(furthest.name)} goes furthest, so the fleet would go on from there.${learner} Nothing that a reachable box knows to be committed is lost.`,
    "",
    "What may be lost:",
    `  entries above ${lastIndex}: whatever was agreed after it was known to the missing boxes alone; how much that is cannot be known`,
    `  what missing boxes alone hold, by this box's ledger up to entry ${applied}:${losses.length === 0 ? " nothing" : ""}`,
    ...losses.flatMap(lossLines),
    "",
    "If a missing box comes back later it is refused: it must be wiped and join as a new one. Should the missing boxes still",
    "run somewhere and see one another, they go on as a fleet of their own, and the two never become one again. Be sure that",
    "they are gone.",
    "",
  ].join("\n");
}

function lossLines({ jobId, results, inputs }: JobLoss): string[] {
  const line = (items: readonly number[], one: string, many?: string): string[] =>
    items.length === 0 ? [] : [`    ${plain(jobId)}: ${plural(items.length, one, many)} (${listed(items)})`];
  return [...line(results, "result"), ...line(inputs, "input not computed yet", "inputs not computed yet")];
}

const listed = (items: readonly number[]): string =>
  `${items.length === 1 ? "item" : "items"} ${items.slice(0, ITEMS_NAMED).join(", ")}` +
  (items.length > ITEMS_NAMED ? ` and ${items.length - ITEMS_NAMED} more` : "");
