/** What the command line's words mean, checked before anything is done. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { checkText, checkWhole, refuse } from "../../shared/checks.ts";
import { SkeinError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { readRunFile } from "./run-file.ts";
import { SteadyClient } from "./steady-client.ts";
import type { World } from "./world.ts";

/** Options of every command. */
export interface CommonOptions {
  data?: string;
  api?: string[];
  token?: string;
  json?: boolean;
}

export const API_PORT = 7401;
export const NETWORK_PORT = 7400;

export function dataDirOf(options: CommonOptions, world: World): string {
  return resolve(options.data ?? world.env.SKEIN_DATA ?? join(homedir(), ".skein"));
}

export function tokenOf(options: CommonOptions, world: World): string | undefined {
  const token = options.token ?? world.env.SKEIN_TOKEN;
  return token === undefined || token === "" ? undefined : checkText(token, "--token", LIMITS.nameBytesMax);
}

/** Named with --api, or the agent that runs on the data folder, or whatever listens on the usual port of this box. */
export async function apiUrlsOf(options: CommonOptions, world: World): Promise<string[]> {
  if (options.api && options.api.length > 0) return options.api.map(apiUrl);
  const running = await readRunFile(dataDirOf(options, world));
  return [running?.apiUrl ?? `http://127.0.0.1:${API_PORT}`];
}

export async function clientFor(options: CommonOptions, world: World, deadlineMs?: number): Promise<SteadyClient> {
  const token = tokenOf(options, world);
  return new SteadyClient({
    urls: await apiUrlsOf(options, world),
    fetch: world.fetch,
    ...(token === undefined ? {} : { token }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
}

/** `box`, `box:7401`, `192.168.1.7` or a whole URL. */
export function apiUrl(text: string): string {
  const hasScheme = /^https?:\/\//.test(text);
  let url: URL;
  try {
    url = new URL(hasScheme ? text : `http://${text}`);
  } catch {
    throw new SkeinError("BAD_REQUEST", { reason: `--api ${text} is not an address` });
  }
  if (!hasScheme && url.port === "") url.port = String(API_PORT);
  return url.href;
}

const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 24 * 3_600_000 };

/** `90s`, `30m`, `1.5h`, `2d`. @throws BAD_REQUEST */
export function durationMs(text: string, option: string, msMax: number): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
  if (!count || !unit) refuse(option, `must be a time such as 90s, 30m, 2h or 1d, not ${JSON.stringify(text)}`);
  const ms = Math.round(Number(count) * UNIT_MS[unit]!);
  if (ms < 1 || ms > msMax) refuse(option, `must be from 1 ms to ${msMax / UNIT_MS.d!} days, not ${text}`);
  return ms;
}

/** @throws BAD_REQUEST */
export function wholeNumber(text: string, option: string, min: number, max: number): number {
  if (!/^\d+$/.test(text)) refuse(option, `must be a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`);
  return checkWhole(Number(text), option, min, max);
}
