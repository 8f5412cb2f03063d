import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AddressBook, dialable, dialables } from "../../../agent/io/network/address-book.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { LoggedTelemetry } from "../../support/network-world.ts";

const PEER = "12D3KooWBmwkafWE2fqfzS96VoTZgpGp6aJsF4N7QVGxEBtQ1b2c" as NodeId;
const at = (host: number) => `/ip4/10.0.0.${host}/tcp/7400`;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "skein-addresses-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("what answered last and what the beacon says go before what the roster says, and nothing is said twice", () => {
  const book = new AddressBook(undefined, new LoggedTelemetry());
  book.admit(new Map([[PEER, [at(1), at(2)]]]));
  expect(book.addresses(PEER)).toEqual([at(1), at(2)]);
  book.reached(PEER, [at(3), at(2)], at(2));
  expect(book.addresses(PEER)).toEqual([at(2), at(3), at(1)]);
  book.beaconHeard(PEER, [at(4), at(3)]);
  expect(book.addresses(PEER)).toEqual([at(4), at(2), at(3), at(1)]);
});

test("where peers were is known again after a restart, those still on the roster", () => {
  const file = join(folder, "addresses.json");
  const book = new AddressBook(file, new LoggedTelemetry());
  book.admit(new Map([[PEER, []]]));
  book.reached(PEER, [at(5)], at(6));
  expect(new AddressBook(file, new LoggedTelemetry()).addresses(PEER)).toEqual([at(6), at(5)]);
  book.admit(new Map());
  book.reached("12D3KooWother" as NodeId, [at(7)]);
  expect(new AddressBook(file, new LoggedTelemetry()).addresses(PEER)).toEqual([]);
  expect(readdirSync(folder)).toEqual(["addresses.json"]);
});

test("a damaged or missing file is no reason not to start", () => {
  const file = join(folder, "addresses.json");
  for (const content of [
    "",
    "{",
    "null",
    '{"version":2}',
    '{"version":1,"nodes":{"x":["y"]}}',
    `{"version":1,"nodes":{"${PEER}":[1,"/x"]}}`,
  ]) {
    writeFileSync(file, content);
    expect(new AddressBook(file, new LoggedTelemetry()).addresses(PEER)).toEqual([]);
  }
  const telemetry = new LoggedTelemetry();
  new AddressBook(join(folder, "none.json"), telemetry);
  expect(telemetry.lines).toEqual([]);
});

test("a place that cannot be written costs the memory, not the meeting", () => {
  const telemetry = new LoggedTelemetry();
  const book = new AddressBook(join(folder, "no", "such", "folder.json"), telemetry);
  book.admit(new Map([[PEER, []]]));
  book.reached(PEER, [at(5)], at(6));
  expect(book.addresses(PEER)).toEqual([at(6), at(5)]);
  expect(telemetry.has("lastKnownAddressesNotKept")).toBe(true);
});

test("the file is not written again when nothing changed", () => {
  const file = join(folder, "addresses.json");
  const book = new AddressBook(file, new LoggedTelemetry());
  book.admit(new Map([[PEER, []]]));
  book.reached(PEER, [at(5)], at(6));
  writeFileSync(file, "untouched");
  book.reached(PEER, [at(5)], at(6));
  expect(readFileSync(file, "utf8")).toBe("untouched");
});

test("only TCP addresses without anything behind the port are kept, whatever a peer says", () => {
  for (const good of ["/ip4/10.0.0.1/tcp/7400", "/ip6/fe80::1/tcp/7400", "/dns4/box.local/tcp/1"])
    expect(dialable(good)).toBe(good);
  expect(dialable(`/ip4/10.0.0.1/tcp/7400/p2p/${PEER}`)).toBe("/ip4/10.0.0.1/tcp/7400");
  for (const bad of [
    "",
    "/",
    "x",
    "/ip4/300.0.0.1/tcp/1",
    "/ip4/1.2.3.4/udp/1",
    "/ip4/1.2.3.4/tcp/70000",
    "/ip4/1.2.3.4/tcp/1/ws",
    `/dns4/${"a".repeat(999)}/tcp/1`,
  ])
    expect(dialable(bad)).toBeUndefined();
  expect(dialables(Array.from({ length: 99 }, (_, i) => at(i))).length).toBe(16);
});
