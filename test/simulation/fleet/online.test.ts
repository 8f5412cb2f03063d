/** Items that somebody waits for: they need no quorum, and a box that dies or hangs meanwhile costs time only. */
import { expect, test } from "vitest";
import { pretendOutput } from "../../support/pretend-engine.ts";
import { SimFleet } from "./sim-fleet.ts";
import type { SimNode } from "./sim-node.ts";

const input = new TextEncoder().encode("a page");

async function measured(seed: number): Promise<SimFleet> {
  const fleet = new SimFleet(seed, 3);
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, 5_000);
  await fleet.run(8_000);
  return fleet;
}

/** What the box answers within `forMs` of the fleet's time. */
async function ask(fleet: SimFleet, node: SimNode, forMs = 5_000) {
  let answer: { output: Uint8Array; name: string; attempts: number } | { error: unknown } | undefined;
  node.agent!.infer("ocr", "a.png", input).then(
    (told) => {
      answer = told;
    },
    (error: unknown) => {
      answer = { error };
    },
  );
  await fleet.until("an answer", () => answer !== undefined, forMs);
  if ("error" in answer!) throw answer!.error;
  return answer as { output: Uint8Array; name: string; attempts: number };
}

test("the box that answers soonest runs it, whoever is asked", async () => {
  const fleet = await measured(5);
  const fastest = [...fleet.nodes].sort((a, b) => a.secondsPerItem - b.secondsPerItem)[0]!;
  for (const node of fleet.nodes) {
    const { output, name, attempts } = await ask(fleet, node);
    expect(new Uint8Array(output)).toEqual(pretendOutput(input));
    expect([name, attempts]).toEqual([fastest.name, 1]);
  }
});

test("a box that is alone and without a quorum goes on answering", async () => {
  const fleet = await measured(6);
  const [lonely, ...others] = fleet.nodes as [SimNode, SimNode, SimNode];
  for (const other of others) other.crash();
  await fleet.run(5_000);
  expect(lonely.agent!.health().hasQuorum).toBe(false);
  expect((await ask(fleet, lonely)).name).toBe(lonely.name);
});

test("a box that freezes or dies with the request is given up for another", async () => {
  for (const harm of ["freeze", "crash"] as const) {
    const fleet = await measured(7);
    const [fastest, ...others] = [...fleet.nodes].sort((a, b) => a.secondsPerItem - b.secondsPerItem);
    const asked = others[0]!;
    const answer = ask(fleet, asked, 10_000);
    fastest![harm]();
    const { output, name, attempts } = await answer;
    expect(new Uint8Array(output)).toEqual(pretendOutput(input));
    expect(name).not.toBe(fastest!.name);
    expect(attempts).toBe(2);
  }
});
