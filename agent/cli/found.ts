/** `skein init` and `skein join`: what makes a data folder. */
import { randomBytes } from "node:crypto";
import { hostname, networkInterfaces } from "node:os";
import { checkText } from "../../shared/checks.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { FleetId } from "../../shared/ids.ts";
import { decodeInvite, type Invite } from "../../shared/invite.ts";
import { LIMITS } from "../../shared/limits.ts";
import { createIdentity, knock, nodeIdOf } from "../io/network/index.ts";
import { checkConfig, type HomeConfig, keepIdentity, refuseIfFounded, writeHome } from "./home.ts";
import { API_PORT, type CommonOptions, dataDirOf, NETWORK_PORT, tokenOf, wholeNumber } from "./options.ts";
import { plain } from "./table.ts";
import type { World } from "./world.ts";

/** Options of `init` and `join`: how this box is set up. */
export interface SetupOptions extends CommonOptions {
  name?: string;
  port?: string;
  host?: string[];
  beacon?: boolean;
  apiHost?: string;
  apiPort?: string;
  executors?: string;
}

export interface JoinOptions extends SetupOptions {
  witness?: boolean;
}

export interface InitOptions extends SetupOptions {
  fleet?: string;
}

const PORT_MAX = 65_535;
const EXECUTORS_MAX = 256;

/** @throws ALREADY_INITIALISED, BAD_REQUEST */
export async function init(options: InitOptions, world: World): Promise<number> {
  const dataDir = dataDirOf(options, world);
  await refuseIfFounded(dataDir);
  const config = configFrom(options, world);
  const fleetName = checkText(options.fleet ?? "home", "--fleet", LIMITS.nameBytesMax);
  const nodeId = nodeIdOf(await keepIdentity(dataDir, async () => (await createIdentity()).key));
  const fleetId = randomBytes(16).toString("hex") as FleetId;
  const fleetSecret = randomBytes(32).toString("hex");
  await writeHome(dataDir, { fleetId, fleetName, fleetSecret, founder: true, roster: [] }, config);
  if (options.json) world.out(`${JSON.stringify({ dataDir, nodeId, name: config.name, fleetId, fleetName })}\n`);
  else {
    world.out(`Fleet "${fleetName}" is founded; this box is its first node, "${config.name}".\n${tokenNote(config)}\n`);
    world.out(`Next: ${next("start", options)}    starts it\n`);
    world.out(`      ${next("invite", options)}   on this box, for each further box\n`);
  }
  return 0;
}

/** @throws ALREADY_INITIALISED, INVITE_INVALID, PEER_UNREACHABLE, NO_QUORUM, BAD_REQUEST */
export async function join(token: string, options: JoinOptions, world: World): Promise<number> {
  const dataDir = dataDirOf(options, world);
  await refuseIfFounded(dataDir);
  const part = options.witness ? { part: "witness" as const } : {};
  const config = { ...configFrom(options, world), ...part };
  const invite = decodeInvite(token);
  const nodeKey = await keepIdentity(dataDir, async () => (await createIdentity()).key);
  const nodeId = nodeIdOf(nodeKey);
  const { inviteId, secret, addresses } = invite;
  const own = ownAddresses(config.network.hosts, config.network.port);
  const said = { inviteId, secret, nodeId, name: config.name, addresses: own, ...part };
  const answer = knock({ addresses, nodeKey, knock: said });
  const { fleetId, fleetName, fleetSecret, roster } = await answer.catch((error: unknown) => explain(error, invite));
  await writeHome(dataDir, { fleetId, fleetName, fleetSecret, founder: false, roster }, config);
  if (options.json) world.out(`${JSON.stringify({ dataDir, nodeId, name: config.name, fleetId, fleetName })}\n`);
  else {
    const others = roster.filter((node) => node.nodeId !== nodeId).map((node) => plain(node.name));
    const as = options.witness ? ", the witness," : "";
    world.out(`This box is "${config.name}"${as} in fleet "${plain(fleetName)}", with ${others.join(", ")}.\n`);
    world.out(`${tokenNote(config)}\nNext: ${next("start", options)}\n`);
  }
  return 0;
}

/**
 * The member's clock decides whether an invitation is too old, since a box without a battery wakes up in another year. But
 * a door that is shut because of it answers nobody, so then this box's clock is worth a word.
 */
function explain(error: unknown, { expiresAtMs }: Invite): never {
  const known = SkeinError.from(error);
  if (known.code !== "PEER_UNREACHABLE" || expiresAtMs > Date.now()) throw known;
  const reason = `nobody opens, and by this box's clock it expired at ${new Date(expiresAtMs).toISOString()}`;
  throw new SkeinError("INVITE_INVALID", { reason }, { cause: known });
}

const next = (command: string, options: CommonOptions): string =>
  `skein ${command}${options.data === undefined ? "" : ` --data ${options.data}`}`;

const isBeyondLoopback = (host: string): boolean => !/^(127\.\d+\.\d+\.\d+|::1|localhost)$/.test(host);

/** Shown once; the folder keeps it. */
const tokenNote = ({ api }: HomeConfig): string =>
  isBeyondLoopback(api.host) ? `Its API answers other boxes that bring this token:\n\n  ${api.token}\n` : "";

function configFrom(options: SetupOptions, world: World): HomeConfig {
  // An API beyond loopback without a token would not start.
  const isOpen = isBeyondLoopback(options.apiHost ?? "127.0.0.1");
  const token = tokenOf(options, world) ?? (isOpen ? randomBytes(16).toString("hex") : undefined);
  const config: HomeConfig = {
    name: options.name ?? (hostname().split(".")[0] || "node"),
    network: {
      port: wholeNumber(options.port ?? String(NETWORK_PORT), "--port", 0, PORT_MAX),
      hosts: options.host ?? ["0.0.0.0"],
      beacon: options.beacon ?? true,
    },
    api: {
      host: options.apiHost ?? "127.0.0.1",
      port: wholeNumber(options.apiPort ?? String(API_PORT), "--api-port", 0, PORT_MAX),
      ...(token === undefined ? {} : { token }),
    },
  };
  if (options.executors !== undefined)
    config.executors = wholeNumber(options.executors, "--executors", 0, EXECUTORS_MAX);
  // Whatever is written must be readable again.
  return checkConfig({ ...config });
}

/** Where this box can be dialled, as far as it can tell: the roster's first guess, corrected when it has started. */
export function ownAddresses(hosts: readonly string[], port: number): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const reachable = all.filter((one) => !one.internal && !one.address.startsWith("fe80:"));
  const isMeant = (family: "IPv4" | "IPv6", wildcard: string) =>
    hosts.includes(wildcard) ? reachable.filter((one) => one.family === family).map((one) => one.address) : [];
  const named = hosts.filter((host) => host !== "0.0.0.0" && host !== "::");
  const addresses = [...new Set([...named, ...isMeant("IPv4", "0.0.0.0"), ...isMeant("IPv6", "::")])];
  return addresses.map((address) => `/${address.includes(":") ? "ip6" : "ip4"}/${address}/tcp/${port}`);
}
