/** Commands that are one call or two, and a way to print the answer. */
import { setTimeout as sleep } from "node:timers/promises";
import { SkeinError } from "../../shared/errors.ts";
import { describeFleet, describeJob, describeJobs, describeNodes } from "./describe.ts";
import { type CommonOptions, clientFor, dataDirOf, wholeNumber } from "./options.ts";
import { readRunFile } from "./run-file.ts";
import type { SteadyClient } from "./steady-client.ts";
import { pairs, plain } from "./table.ts";
import type { World } from "./world.ts";

type Command<O extends CommonOptions = CommonOptions> = (options: O, world: World) => Promise<number>;

export function print(options: CommonOptions, world: World, value: unknown, text: string): number {
  world.out(options.json ? `${JSON.stringify(value, null, 2)}\n` : text);
  return 0;
}

export const status: Command = async (options, world) => {
  const client = await clientFor(options, world);
  const answer = await client.call(async (one) => ({
    health: await one.health(),
    fleet: await one.fleet(),
    jobs: await one.jobs(),
  }));
  const { fleet, health, jobs } = answer;
  return print(options, world, { ...answer, apiUrl: client.url }, describeFleet(fleet, health, jobs, client.url));
};

export const nodes: Command = async (options, world) => {
  const client = await clientFor(options, world);
  const answer = await client.call((one) => one.nodes());
  return print(options, world, answer, describeNodes(answer));
};

export const jobs: Command = async (options, world) => {
  const client = await clientFor(options, world);
  const answer = await client.call((one) => one.jobs());
  return print(options, world, answer, describeJobs(answer));
};

export async function job(jobId: string, options: CommonOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const answer = await client.call((one) => one.job(jobId));
  return print(options, world, answer, describeJob(answer));
}

export async function cancel(jobId: string, options: CommonOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const answer = await client.call((one) => one.jobCancel(jobId));
  const { itemsRecorded, items, state } = answer;
  const fate = state === "cancelled" ? "is cancelled" : `had ended before (${state})`;
  return print(
    options,
    world,
    answer,
    `${plain(jobId)} ${fate}; ${itemsRecorded} of ${items} were recorded and stay.\n`,
  );
}

export async function pause(jobId: string, options: CommonOptions, world: World): Promise<number> {
  return changePause(jobId, true, options, world);
}

export async function resume(jobId: string, options: CommonOptions, world: World): Promise<number> {
  return changePause(jobId, false, options, world);
}

async function changePause(jobId: string, paused: boolean, options: CommonOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const answer = await client.call((one) => one.jobPause(jobId, { paused }));
  const { itemsRecorded, items } = answer;
  const fate = paused ? "is paused: what runs ends, nothing more is handed out" : "goes on";
  return print(options, world, answer, `${plain(jobId)} ${fate}; ${itemsRecorded} of ${items} are recorded.\n`);
}

export async function forget(jobIds: string[], options: CommonOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const forgotten: string[] = [];
  for (const jobId of jobIds) {
    const answer = await client.call((one) => one.jobForget(jobId));
    forgotten.push(answer.forgotten);
    if (!options.json) world.out(`${plain(jobId)} is forgotten; every box removes what only it stood on.\n`);
  }
  return options.json ? print(options, world, { forgotten }, "") : 0;
}

export async function remove(node: string, options: CommonOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const answer = await client.call((one) => one.nodeRemove(node));
  return print(options, world, answer, `${plain(node)} (${answer.removed}) is out of the fleet.\n`);
}

export async function get(name: string, options: CommonOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const answer = await client.call((one) => one.setting(name));
  return print(options, world, answer, `${plain(answer.value)}\n`);
}

export async function set(name: string, value: string, options: CommonOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const answer = await client.call((one) => one.settingSet(name, { value }));
  const now = value === "" ? "is not set any more" : `is ${plain(answer.value)}`;
  return print(options, world, answer, `${plain(answer.name)} ${now}, on every box.\n`);
}

export const settings: Command = async (options, world) => {
  const client = await clientFor(options, world);
  const answer = await client.call((one) => one.settings());
  const rows = answer.map(({ name, value, isDefault }): [string, string] => [
    name,
    isDefault ? `${value} (default)` : value,
  ]);
  return print(options, world, answer, pairs(rows));
};

const INVITE_MINUTES_MAX = 7 * 24 * 60;

export const invite: Command<CommonOptions & { minutes?: string }> = async (options, world) => {
  const { minutes } = options;
  const validForMs = minutes && wholeNumber(minutes, "--minutes", 1, INVITE_MINUTES_MAX) * 60_000;
  const client = await clientFor(options, world);
  const answer = await client.call((one) => one.invite(validForMs ? { validForMs } : {}));
  const until = new Date(answer.expiresAtMs).toISOString().slice(0, 16).replace("T", " ");
  return print(
    options,
    world,
    answer,
    `On the new box, once, before ${until} UTC:\n\n  skein join ${plain(answer.token)}\n\n`,
  );
};

/** An orderly stop hands leadership on and lets writes end. */
const STOP_PATIENCE_MS = 30_000;
const STOP_POLL_MS = 100;

export const stop: Command = async (options, world) => {
  const client = await clientFor(options, world);
  const answer = await untilGone(options, world, client, () => client.call((one) => one.stop()));
  return print(options, world, answer, "The agent has stopped.\n");
};

/** Does what makes the agent stop, and resolves when it is gone, as far as this box can tell. */
export async function untilGone<T>(
  options: CommonOptions,
  world: World,
  client: SteadyClient,
  act: () => Promise<T>,
): Promise<T> {
  const running = options.api ? undefined : await readRunFile(dataDirOf(options, world));
  const answer = await act();
  const untilMs = performance.now() + STOP_PATIENCE_MS;
  const isGone = async (): Promise<boolean> =>
    running
      ? (await readRunFile(dataDirOf(options, world))) === undefined
      : client
          .call((one) => one.health())
          .then(
            () => false,
            (error: SkeinError) => error.code === "AGENT_UNREACHABLE",
          );
  while (!(await isGone())) {
    if (performance.now() > untilMs)
      throw new SkeinError("DEADLINE_EXCEEDED", { what: "The stop", deadlineMs: STOP_PATIENCE_MS });
    await sleep(STOP_POLL_MS);
  }
  return answer;
}
