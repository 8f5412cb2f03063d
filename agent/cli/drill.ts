/** `skein drill`: a rehearsal of faults on the live fleet, or on a throw-away one of three on this machine. */
import { setTimeout as sleep } from "node:timers/promises";
import { refuse } from "../../shared/checks.ts";
import {
  DRILL_FAULTS,
  type DrillFault,
  type DrillLine,
  type DrillRecord,
  type DrillRequest,
  drillHeld,
} from "../../shared/drill.ts";
import { SkeinError } from "../../shared/errors.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import { print } from "./calls.ts";
import { LocalFleet } from "./demo/local-fleet.ts";
import { describeHistory, describePlan, describeRecord, lineText } from "./drill-text.ts";
import { type CommonOptions, clientFor, wholeNumber } from "./options.ts";
import { SteadyClient } from "./steady-client.ts";
import { plain } from "./table.ts";
import type { World } from "./world.ts";

/** As commander makes them of --kill-leader and the like. */
export interface DrillOptions extends CommonOptions, Partial<Record<DrillFault, boolean>> {
  all?: boolean;
  local?: boolean;
  seconds?: string;
  yes?: boolean;
}

const ASKED_WRONGLY = 2;
const POLL_MS = 250;
/** How long the box that coordinates may be out of reach before the command gives up watching. */
const PATIENCE_MS = 30_000;
const BOXES = ["attic", "bench", "cellar"] as const;

export async function drill(what: string | undefined, options: DrillOptions, world: World): Promise<number> {
  if (what === "history") return history(options, world);
  if (what !== undefined) refuse("skein drill", `knows "history" and no "${plain(what)}"`);
  const request = requestOf(options);
  if (!options.local) return rehearse(await clientFor(options, world), request, options, world);
  return onLocalFleet(request, options, world);
}

async function history(options: CommonOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const { kept } = await client.call((one) => one.drills());
  return print(options, world, kept, describeHistory(kept));
}

/** @throws BAD_REQUEST */
function requestOf(options: DrillOptions): DrillRequest {
  const made = DRILL_FAULTS.filter((fault) => fault !== "unplug");
  const faults = options.all ? made : DRILL_FAULTS.filter((fault) => options[fault]);
  if (faults.length === 0)
    refuse("skein drill", "needs to know what: --all, or some of --kill-leader, --freeze and the like, or --unplug");
  if (faults.includes("unplug") && (faults.length > 1 || options.local))
    refuse("--unplug", "goes alone, on a fleet of real boxes: it waits for a hand");
  const [min, max] = [TIMING.drillHoldMsMin / 1_000, TIMING.drillHoldMsMax / 1_000];
  const { seconds } = options;
  return { faults, ...(seconds ? { holdMs: 1_000 * wholeNumber(seconds, "--seconds", min, max) } : {}) };
}

async function onLocalFleet(request: DrillRequest, options: DrillOptions, world: World): Promise<number> {
  const fleet = await LocalFleet.create(1);
  const interrupted = new Promise<number>((resolve) => {
    world.onInterrupt(() => resolve(130));
  });
  try {
    world.err("Three agents on this machine make a fleet of their own; your own is not touched.\n");
    await fleet.raise(BOXES, (line) => world.err(`${line}\n`));
    const urls = fleet.agents.map((agent) => agent.client.url);
    const client = new SteadyClient({ urls, fetch: world.fetch });
    const rehearsal = rehearse(client, request, { ...options, yes: true }, world);
    return await Promise.race([rehearsal, interrupted]);
  } finally {
    await fleet.end();
  }
}

/** Tells what will be done, asks, does it, and shows how it goes. @returns 0 if nothing was lost, nothing twice and all healed */
async function rehearse(
  client: SteadyClient,
  request: DrillRequest,
  options: DrillOptions,
  world: World,
): Promise<number> {
  const { plan } = await client.call((one) => one.drillStart({ ...request, onlyPlan: true }));
  world.err(describePlan(plan));
  const refused = plan.faults.find(({ refusal }) => refusal !== undefined);
  if (refused) throw new SkeinError("DRILL_REFUSED", { reason: refused.refusal });
  if (!options.yes) {
    const typed = await world.ask("Type yes to begin: ");
    if (typed?.trim() !== "yes") {
      world.err(`Nothing was done.${typed === undefined ? " Without a terminal, say it with --yes." : ""}\n`);
      return ASKED_WRONGLY;
    }
  }
  const { drillId } = await client.call((one) => one.drillStart(request));
  const record = await follow(client, drillId!, world);
  print(options, world, record, describeRecord(record));
  return drillHeld(record) ? 0 : 1;
}

/** Until it has ended. Ctrl-C ends this command; the drill goes on and is kept. */
async function follow(client: SteadyClient, drillId: string, world: World): Promise<DrillRecord> {
  const told = new Set<string>();
  const tell = (line: DrillLine): void => {
    const text = lineText(line);
    if (told.has(text)) return;
    told.add(text);
    world.err(text);
  };
  for (;;) {
    const view = await client.call((one) => one.drill(drillId), { patienceMs: PATIENCE_MS });
    for (const line of view.lines.slice(0, LIMITS.drillLinesMax)) tell(line);
    if (view.record) return view.record;
    await sleep(POLL_MS);
  }
}
