/** The data folder's files: who this box is, which fleet it belongs to, how it is set up. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { checkKeys, checkList, checkOneOf, checkRecord, checkText, checkWhole, refuse } from "../../shared/checks.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { NodePart, RosterNode } from "../../shared/fleet.ts";
import { type FleetId, isNodeId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { writeWhole } from "./files.ts";

/** fleet.json. Holds the fleet's secret: whoever reads it can speak as a member. */
export interface HomeFleet {
  fleetId: FleetId;
  fleetName: string;
  /** 32 bytes, hex. */
  fleetSecret: string;
  /** True on the box that made the fleet. */
  founder: boolean;
  /** As it was when this box came in: whom to dial first. The ledger has the roster of today. */
  roster: RosterNode[];
}

/** config.json: what a person may edit. */
export interface HomeConfig {
  name: string;
  network: { port: number; hosts: string[]; beacon: boolean };
  api: { host: string; port: number; token?: string };
  /** Inference processes; absent: what the firmware profile says. */
  executors?: number;
  /** A witness votes and does nothing else; absent: full. Settled when the box joins. */
  part?: NodePart;
}

export interface Home {
  dataDir: string;
  nodeKey: Uint8Array;
  fleet: HomeFleet;
  config: HomeConfig;
}

const VERSION = 1;
/** For the owner only. */
const SECRET = 0o600;
const pathsIn = (dataDir: string) => ({
  key: join(dataDir, "identity.key"),
  fleet: join(dataDir, "fleet.json"),
  config: join(dataDir, "config.json"),
  left: join(dataDir, "left.json"),
});

/** @throws HAS_LEFT, NOT_INITIALISED; BAD_REQUEST naming the file and the field if one is damaged. */
export async function readHome(dataDir: string): Promise<Home> {
  const paths = pathsIn(dataDir);
  await refuseIfLeft(dataDir);
  const nodeKey = await readIfThere(paths.key);
  const fleet = await readIfThere(paths.fleet);
  const config = await readIfThere(paths.config);
  if (!nodeKey || !fleet || !config) throw new SkeinError("NOT_INITIALISED", { data: dataDir });
  return {
    dataDir,
    nodeKey,
    fleet: checkedFile(paths.fleet, fleet, checkFleet),
    config: checkedFile(paths.config, config, checkConfig),
  };
}

/** This box has left its fleet. An id belongs to one life of one disk, so the folder serves no other. */
export async function markLeft(dataDir: string, fleetName: string): Promise<void> {
  await writeWhole(pathsIn(dataDir).left, asText({ version: VERSION, fleetName, leftAt: new Date().toISOString() }));
}

async function refuseIfLeft(dataDir: string): Promise<void> {
  const path = pathsIn(dataDir).left;
  const content = await readIfThere(path);
  if (!content) return;
  const [fleet, leftAt] = checkedFile(path, content, (record) => [
    checkText(record.fleetName, "fleetName", LIMITS.nameBytesMax),
    checkText(record.leftAt, "leftAt", LIMITS.nameBytesMax),
  ]) as [string, string];
  throw new SkeinError("HAS_LEFT", { fleet, leftAt, data: dataDir });
}

/** @throws HAS_LEFT, ALREADY_INITIALISED if the folder belongs to a fleet. */
export async function refuseIfFounded(dataDir: string): Promise<void> {
  await refuseIfLeft(dataDir);
  const paths = pathsIn(dataDir);
  const content = await readIfThere(paths.fleet);
  if (!content) return;
  const fleet = checkedFile(paths.fleet, content, checkFleet);
  throw new SkeinError("ALREADY_INITIALISED", { data: dataDir, fleet: fleet.fleetName });
}

/**
 * The key of an earlier try that did not get as far as a fleet, or else a new one, on disk before it is used: a box that is
 * admitted under a key it then loses would be on the roster for nothing.
 */
export async function keepIdentity(dataDir: string, make: () => Promise<Uint8Array>): Promise<Uint8Array> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const { key: path } = pathsIn(dataDir);
  const kept = await readIfThere(path);
  if (kept) return kept;
  const key = await make();
  await writeWhole(path, key, SECRET);
  return key;
}

/** The fleet comes last: its presence says that the folder is whole. */
export async function writeHome(dataDir: string, fleet: HomeFleet, config: HomeConfig): Promise<void> {
  const paths = pathsIn(dataDir);
  await writeWhole(paths.config, asText({ version: VERSION, ...config }), SECRET);
  await writeWhole(paths.fleet, asText({ version: VERSION, ...fleet }), SECRET);
}

const asText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function checkedFile<T>(path: string, content: Uint8Array, check: (record: Record<string, unknown>) => T): T {
  try {
    const record = checkRecord(JSON.parse(new TextDecoder().decode(content)), "");
    const { version } = record;
    if (version !== VERSION) refuse("version", `must be ${VERSION}; this file is from another version of Skein`);
    return check(record);
  } catch (error) {
    const reason = error instanceof SkeinError ? String(error.facts.reason) : "it is not JSON";
    throw new SkeinError("BAD_REQUEST", { reason: `${path}: ${reason}`, path }, { cause: error });
  }
}

function checkFleet(record: Record<string, unknown>): HomeFleet {
  checkKeys(record, "", ["version", "fleetId", "fleetName", "fleetSecret", "founder", "roster"]);
  const { fleetId, fleetSecret, founder } = record;
  if (typeof fleetId !== "string" || !/^[0-9a-f]{32}$/.test(fleetId)) refuse("fleetId", "must be 32 hex digits");
  // Never shown, not even in part.
  if (typeof fleetSecret !== "string" || !/^[0-9a-f]{64}$/.test(fleetSecret))
    refuse("fleetSecret", "must be 64 hex digits");
  if (typeof founder !== "boolean") refuse("founder", "must be true or false");
  const fleetName = checkText(record.fleetName, "fleetName", LIMITS.nameBytesMax);
  const roster = checkList(record.roster, "roster", LIMITS.nodesMax, checkRosterNode);
  return { fleetId: fleetId as FleetId, fleetName, fleetSecret, founder, roster };
}

function checkRosterNode(value: unknown, path: string): RosterNode {
  const record = checkRecord(value, path);
  const { nodeId } = record;
  if (!isNodeId(nodeId)) refuse(`${path}.nodeId`, "must be a node id");
  return {
    nodeId,
    name: checkText(record.name, `${path}.name`, LIMITS.nameBytesMax),
    addresses: checkList(record.addresses, `${path}.addresses`, LIMITS.nodesMax, checkShortText),
    admittedAtIndex: checkWhole(record.admittedAtIndex, `${path}.admittedAtIndex`, 0),
    ...checkPart(record.part, `${path}.part`),
  };
}

const checkPart = (value: unknown, path: string): { part?: NodePart } =>
  value === undefined ? {} : { part: checkOneOf(value, path, ["full", "witness"]) };
const checkShortText = (value: unknown, path: string): string => checkText(value, path, LIMITS.nameBytesMax);
const PORT_MAX = 65_535;
/** More would be a slip of the finger: each costs a model in memory. */
const EXECUTORS_MAX = 256;

export function checkConfig(record: Record<string, unknown>): HomeConfig {
  checkKeys(record, "", ["version", "name", "network", "api", "executors", "part"]);
  const network = checkRecord(record.network, "network");
  checkKeys(network, "network", ["port", "hosts", "beacon"]);
  const api = checkRecord(record.api, "api");
  checkKeys(api, "api", ["host", "port", "token"]);
  if (typeof network.beacon !== "boolean") refuse("network.beacon", "must be true or false");
  const { executors } = record;
  return {
    name: checkText(record.name, "name", LIMITS.nameBytesMax),
    network: {
      port: checkWhole(network.port, "network.port", 0, PORT_MAX),
      hosts: checkList(network.hosts, "network.hosts", LIMITS.nodesMax, checkShortText),
      beacon: network.beacon,
    },
    api: {
      host: checkText(api.host, "api.host", LIMITS.nameBytesMax),
      port: checkWhole(api.port, "api.port", 0, PORT_MAX),
      ...(api.token === undefined ? {} : { token: checkText(api.token, "api.token", LIMITS.nameBytesMax) }),
    },
    ...(executors === undefined ? {} : { executors: checkWhole(executors, "executors", 0, EXECUTORS_MAX) }),
    ...checkPart(record.part, "part"),
  };
}
