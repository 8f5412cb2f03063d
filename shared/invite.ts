import { SkeinError } from "./errors.ts";
import type { InviteId } from "./ids.ts";

/** What `skein invite` prints and `skein join` reads. The addresses pin the inviting node by its peer id, so a joiner cannot be led astray. */
export interface Invite {
  inviteId: InviteId;
  /** One-time; only its hash is in the ledger. */
  secret: string;
  fleetName: string;
  /** Multiaddrs of the inviting node's door, with `/p2p`. */
  addresses: string[];
  expiresAtMs: number;
}

const MARK = "skein1-";

export function encodeInvite(invite: Invite): string {
  const { inviteId, secret, fleetName, addresses, expiresAtMs } = invite;
  const text = JSON.stringify([inviteId, secret, fleetName, addresses, expiresAtMs]);
  const bytes = new TextEncoder().encode(text);
  const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return MARK + base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @throws INVITE_INVALID */
export function decodeInvite(token: string): Invite {
  const fields = fieldsOf(token.trim());
  const [inviteId, secret, fleetName, addresses, expiresAtMs] = fields;
  const areTexts = [inviteId, secret, fleetName].every((field) => typeof field === "string");
  if (!areTexts || !Array.isArray(addresses) || addresses.length === 0 || typeof expiresAtMs !== "number")
    throw damaged();
  if (!addresses.every((address) => typeof address === "string")) throw damaged();
  return {
    inviteId: inviteId as InviteId,
    secret: secret as string,
    fleetName: fleetName as string,
    addresses,
    expiresAtMs,
  };
}

function fieldsOf(token: string): unknown[] {
  if (!token.startsWith(MARK)) throw damaged();
  try {
    const binary = atob(token.slice(MARK.length).replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    const fields: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (Array.isArray(fields)) return fields;
  } catch {
    // Not base64 or not JSON: the same complaint as any other damage.
  }
  throw damaged();
}

const damaged = (): SkeinError => new SkeinError("INVITE_INVALID", { reason: "the token is damaged or incomplete" });
