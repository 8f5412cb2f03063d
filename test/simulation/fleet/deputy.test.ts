/** What a box of the roster may ask of a deputy, and what it is told when it asks anything else. */
import { beforeEach, expect, test } from "vitest";
import { SkeinError } from "../../../shared/errors.ts";
import type { NodeId } from "../../../shared/ids.ts";
import type { Question } from "../../../shared/peer-requests.ts";
import { PEER_WIRE } from "../../../shared/wire/peer.ts";
import type { PretendPeer } from "../../support/pretend-peer.ts";
import { SimFleet } from "./sim-fleet.ts";

let fleet: SimFleet;
let rogue: PretendPeer;
beforeEach(async () => {
  fleet = new SimFleet(81, 4, { voters: 3, settings: { votersMax: "3" } });
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, 5_000);
  await fleet.run(1_000);
  // The worker's box is taken over by someone who says what he likes.
  const worker = fleet.nodes[3]!;
  worker.crash();
  rogue = fleet.net.join(worker.nodeId);
  await rogue.start();
  rogue.admit(fleet.nodes.map(({ nodeId, name }) => ({ nodeId, name, addresses: [], admittedAtIndex: 0 })));
  await fleet.until("links", () => rogue.links().filter(({ state }) => state === "up").length === 3, 10_000);
});

async function ask(to: NodeId, question: Partial<Question<"deputy">>): Promise<unknown> {
  const whole = { call: "jobs", argumentsJson: "[]", ticket: "", offset: 0, ...question };
  let told: unknown;
  rogue.request(to, "deputy", PEER_WIRE.deputy.question.encode(whole)).then(
    (bytes) => {
      told = JSON.parse(new TextDecoder().decode(PEER_WIRE.deputy.answer.decode(bytes).piece));
    },
    (error: unknown) => {
      told = SkeinError.from(error).code;
    },
  );
  await fleet.until("an answer", () => told !== undefined, 10_000);
  return told;
}

test("a deputy answers what its table names, with the arguments it names, and nothing else", async () => {
  const to = fleet.nodes[0]!.nodeId;
  expect(await ask(to, {})).toEqual([]);
  for (const call of ["constructor", "__proto__", "putBlob", "requestStop", "", "x".repeat(250)])
    expect(await ask(to, { call }), call).toBe("BAD_REQUEST");
  for (const argumentsJson of ["", "{}", "null", "[", "7"])
    expect(await ask(to, { call: "job", argumentsJson }), argumentsJson).toBe("BAD_REQUEST");
  for (const given of [[], [7], [{}], ["\n"], ["x".repeat(300)]])
    expect(await ask(to, { call: "job", argumentsJson: JSON.stringify(given) })).toBe("BAD_REQUEST");
  expect(await ask(to, { call: "invite", argumentsJson: "[1e99]" })).toBe("BAD_REQUEST");
  expect(await ask(to, { call: "job", argumentsJson: '["job-none"]' })).toBe("JOB_UNKNOWN");
  expect(await ask(to, { ticket: "nobody-gave-this-out", offset: 5 })).toBe("PEER_BUSY");
  await fleet.run(1_000);
});
