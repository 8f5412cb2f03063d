import { createHash, timingSafeEqual } from "node:crypto";
import { BlockList, isIP } from "node:net";
import { hostname } from "node:os";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { SkeinError } from "../../shared/errors.ts";

/**
 * Who may call. From beyond loopback: whoever has the token. On loopback nobody needs one, so there the danger is a web
 * page in a browser on this box: one of another site (cross-site request forgery), or one whose name was made to point
 * here (DNS rebinding). Browsers name the page in Origin and the name it was reached by in Host, and pages cannot forge either.
 */
export function guard(app: FastifyInstance, token: string | undefined): void {
  app.addHook("onRequest", async (request) => {
    if (token !== undefined && holdsToken(request, token)) return;
    if (!comesFromThisBox(request)) throw new SkeinError("UNAUTHORIZED");
    refuseForeignPages(request);
  });
}

/** A proxy on this box brings strangers in over loopback, and says so in these headers. */
function comesFromThisBox(request: FastifyRequest): boolean {
  const isForwarded = request.headers.forwarded !== undefined || request.headers["x-forwarded-for"] !== undefined;
  return !isForwarded && isLoopback(request.socket.remoteAddress ?? "");
}

function holdsToken(request: FastifyRequest, token: string): boolean {
  const offered = /^Bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1];
  return offered !== undefined && timingSafeEqual(digest(offered), digest(token));
}

/** Of equal length whatever was offered, so that the comparison tells nothing of the token, its length included. */
const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

function refuseForeignPages(request: FastifyRequest): void {
  const host = request.headers.host ?? "";
  if (!isOwnHost(host))
    throw new SkeinError("ORIGIN_REFUSED", { reason: `${host || "no host"} is not an address of this agent`, host });
  const { origin } = request.headers;
  if (origin !== undefined && origin !== `http://${host}`)
    throw new SkeinError("ORIGIN_REFUSED", { reason: `it comes from a page of ${origin}`, origin });
}

/** An IP address cannot be rebound; a name can, so only this box's own are taken. */
function isOwnHost(host: string): boolean {
  const name = (/^\[(.+)\](?::\d+)?$/.exec(host)?.[1] ?? host.replace(/:\d+$/, "")).toLowerCase();
  const own = hostname().toLowerCase();
  const short = own.split(".")[0];
  return isIP(name) !== 0 || ["localhost", own, short, `${short}.local`].includes(name) || name.endsWith(".localhost");
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** For addresses and for the name `localhost`. IPv4 in IPv6 clothes (`::ffff:127.0.0.1`) counts as IPv4. */
export function isLoopback(address: string): boolean {
  if (address === "localhost") return true;
  const family = isIP(address);
  return family !== 0 && loopback.check(address, family === 4 ? "ipv4" : "ipv6");
}
