import { expect, test } from "vitest";
import { search } from "./search.ts";

test("no order of four elections and their messages loses a committed entry (Figure 8 of the paper among them)", () => {
  expect(search({ elections: 4, proposals: 0, crashes: 0, losses: 0 }, 30_000)).not.toHaveProperty("failure");
});

test("no order of three elections with a proposal, a crash and a lost message breaks anything", () => {
  expect(search({ elections: 3, proposals: 1, crashes: 1, losses: 1 }, 10_000)).not.toHaveProperty("failure");
});

test("every order of two elections is tried to its end", () => {
  const outcome = search({ elections: 2, proposals: 0, crashes: 0, losses: 0 }, 50_000);
  expect(outcome).not.toHaveProperty("failure");
  expect(outcome.states).toBeLessThan(50_000);
});
