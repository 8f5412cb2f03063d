/** Commands for whoever looks after the boxes: who leads, which one may be switched off, which one goes for good. */
import { setTimeout as sleep } from "node:timers/promises";
import type { DrainView, LeaveView } from "../../shared/departure.ts";
import { SkeinError } from "../../shared/errors.ts";
import { print, untilGone } from "./calls.ts";
import { labelsText } from "./describe.ts";
import { type CommonOptions, clientFor, dataDirOf } from "./options.ts";
import type { SteadyClient } from "./steady-client.ts";
import { plain, plural } from "./table.ts";
import type { World } from "./world.ts";

const POLL_MS = 500;
/** Every call here may be made again; this long a change of leader, or an agent that is busy, is borne. */
const PATIENCE = { patienceMs: 5_000 };
/** Nothing moved for so long: a page takes a minute at the very most, a copy of a large blob as long. */
const STILL_MS = 180_000;
/** For the leadership to move away from a node on which nothing runs any more. */
const HANDED_OVER_MS = 10_000;

export async function transferLeader(node: string | undefined, options: CommonOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const answer = await client.call((one) => one.leaderTransfer(node === undefined ? {} : { node }), PATIENCE);
  const nodes = await client.call((one) => one.nodes());
  const name = nodes.find((one) => one.nodeId === answer.leader)?.name ?? answer.leader;
  return print(options, world, answer, `${plain(name)} leads, in term ${answer.term}.\n`);
}

export async function drain(
  node: string | undefined,
  options: CommonOptions & { undo?: boolean },
  world: World,
): Promise<number> {
  const client = await clientFor(options, world);
  const which = node ?? (await client.call((one) => one.fleet())).self;
  if (options.undo) {
    const view = await client.call((one) => one.nodeDrain(which, { drained: false }), PATIENCE);
    return print(options, world, view, `${plain(view.name)} takes part in full again.\n`);
  }
  const view = await untilDrained(client, which, world);
  return print(options, world, view, drainedText(view));
}

/** `key=value` says it, `key-` takes it back; what is not named stays. */
export async function label(node: string, changes: string[], options: CommonOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const known = (await client.call((one) => one.nodes())).find((one) => one.nodeId === node || one.name === node);
  if (!known) throw new SkeinError("NODE_UNKNOWN", { node });
  const labels = { ...known.labels };
  for (const change of changes) {
    const [, key = "", value] = /^([^=]+?)(?:=(.*)|-)$/s.exec(change) ?? [];
    if (key === "")
      throw new SkeinError("BAD_REQUEST", { reason: `${JSON.stringify(change)} is neither key=value nor key-` });
    if (value === undefined) delete labels[key];
    else labels[key] = value;
  }
  const view = await client.call((one) => one.nodeLabels(known.nodeId, { labels }), PATIENCE);
  const text = labelsText(view.labels) || "no labels";
  return print(options, world, view, `${plain(view.name)}: ${plain(text)}\n`);
}

async function untilDrained(client: SteadyClient, which: string, world: World): Promise<DrainView> {
  const watch = new Watch(world);
  for (;;) {
    const view = await client.call((one) => one.nodeDrain(which, { drained: true }), PATIENCE);
    const { name, itemsAtWork, leads } = view;
    watch.look(
      `${plain(name)} gets no new work; ${plural(itemsAtWork, "item")} at work${leads ? ", and it leads" : ""}`,
    );
    if (itemsAtWork === 0 && (!leads || watch.stillMs > HANDED_OVER_MS)) return view;
    watch.giveUpIfStill(`Draining ${name}`);
    await sleep(POLL_MS);
  }
}

function drainedText({ name, leads, isReachable }: DrainView): string {
  const undo = `\`skein drain ${plain(name)} --undo\` takes it back.\n`;
  if (!isReachable) return `${plain(name)} is drained. It cannot be reached; its work is done elsewhere. ${undo}`;
  if (leads)
    return `Nothing runs on ${plain(name)}, but it still leads: no other voter has caught up. While it is off, nothing new is taken in. ${undo}`;
  return `Nothing runs on ${plain(name)}: it may be switched off. ${undo}`;
}

export async function leave(options: CommonOptions & { force?: boolean }, world: World): Promise<number> {
  // One box leaves, so one agent is asked, also if several are named.
  const own = options.api ? { ...options, api: options.api.slice(0, 1) } : options;
  const client = await clientFor(own, world);
  const force = options.force ?? false;
  const view = await untilGone(own, world, client, () => untilLeft(client, force, world));
  return print(options, world, view, leftText(view, force, dataDirOf(options, world)));
}

async function untilLeft(client: SteadyClient, force: boolean, world: World): Promise<LeaveView> {
  const watch = new Watch(world);
  for (;;) {
    const view = await client.call((one) => one.leave({ force }), PATIENCE);
    if (view.state === "left") return view;
    const { itemsAtWork, copiesOwed } = view;
    watch.look(
      `${plural(itemsAtWork, "item")} at work here, ${plural(copiesOwed, "blob")} to be copied elsewhere first`,
    );
    watch.giveUpIfStill(
      "Leaving",
      "This box stays drained. `skein leave` goes on with it, `skein leave --force` does not wait, `skein drain --undo` takes it back.",
    );
    await sleep(POLL_MS);
  }
}

function leftText({ fleetName, copiesOwed, onlyHere }: LeaveView, force: boolean, dataDir: string): string {
  const left = `This box has left fleet "${plain(fleetName)}", and its agent has stopped.\n`;
  if (!force || copiesOwed === 0) return left;
  const lost = `${onlyHere} of them can be read nowhere else now; their files are still in ${dataDir}/blobs.`;
  return `${left}${plural(copiesOwed, "input or result", "inputs and results")} had too few copies elsewhere: ${lost}\n`;
}

/** Tells what changes, and knows for how long nothing has. */
class Watch {
  readonly #world: World;
  #told = "";
  #sinceMs = performance.now();

  constructor(world: World) {
    this.#world = world;
  }

  get stillMs(): number {
    return performance.now() - this.#sinceMs;
  }

  look(text: string): void {
    if (text === this.#told) return;
    this.#told = text;
    this.#sinceMs = performance.now();
    this.#world.err(`${text}\n`);
  }

  /** @throws DEADLINE_EXCEEDED */
  giveUpIfStill(what: string, andNow = ""): void {
    if (this.stillMs < STILL_MS) return;
    if (andNow) this.#world.err(`${andNow}\n`);
    throw new SkeinError("DEADLINE_EXCEEDED", { what, deadlineMs: STILL_MS });
  }
}
