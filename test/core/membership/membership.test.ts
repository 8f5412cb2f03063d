import { expect, test } from "vitest";
import { FleetModel, GONE_AFTER_MS, id } from "./fleet-model.ts";

test("boxes that join one after the other: two vote, three vote, the fourth follows until a fifth comes", () => {
  const fleet = new FleetModel("a");
  const joins = (name: string): string => {
    fleet.nodes.push({ name, part: "full", presence: "fresh", absentForMs: 0 });
    return `${fleet.settle().join(", ")} → ${fleet.story()}`;
  };
  expect(joins("b")).toBe("?b, +b → ab/");
  expect(joins("c")).toBe("?c, +c → abc/");
  expect(joins("d")).toBe("?d → abc/d");
  expect(joins("e")).toBe("?e, +d +e → abcde/");
  expect(joins("f")).toBe(" → abcde/");
});

test("two learners that caught up become voters in one step, so that nobody waits for both of two", () => {
  const fleet = new FleetModel("a", "bc");
  fleet.behind = new Set(["b", "c"]);
  expect(fleet.settle()).toEqual(["?b", "?c"]);
  fleet.behind.clear();
  expect(fleet.settle()).toEqual(["+b +c"]);
});

test("of two learners the one that caught up does not wait for the other, if only one box votes so far", () => {
  const fleet = new FleetModel("a", "bc");
  fleet.behind.add("c");
  expect(fleet.settle()).toEqual(["?b", "+b", "?c"]);
});

test("a box that was admitted and never came up is neither learner nor voter", () => {
  const fleet = new FleetModel("a", "b").set("b", "gone");
  expect(fleet.settle()).toEqual([]);
});

test.each([
  { votersMax: 1, story: "a/" },
  { votersMax: 3, story: "abc/" },
  { votersMax: 4, story: "abc/d" },
  { votersMax: 7, story: "abcdefg/" },
])("with at most $votersMax voters, eight boxes end as $story", ({ votersMax, story }) => {
  const fleet = new FleetModel("a", "bcdefgh");
  fleet.votersMax = votersMax;
  fleet.settle();
  expect(fleet.story()).toBe(story);
});

test("a witness that is off the roster leaves before the next one comes", () => {
  const fleet = new FleetModel("ab", "", "w");
  fleet.settle();
  fleet.nodes.push({ ...fleet.nodes.find(({ name }) => name === "w")!, name: "v" });
  fleet.remove("w");
  expect(fleet.settle()).toEqual(["-w", "+v!"]);
});

test("when fewer voters are wanted, those who are away and those who came last leave, never the leader", () => {
  const fleet = new FleetModel("abcde").set("b", "late");
  fleet.self = id("e");
  fleet.votersMax = 3;
  expect(fleet.settle()).toEqual(["-b -d"]);
  expect(fleet.story()).toBe("ace/");
});

test("a voter that is gone for good is replaced by a worker: first it follows, then one joint step", () => {
  const fleet = new FleetModel("abc", "d").set("b", "gone", GONE_AFTER_MS - 1);
  fleet.votersMax = 3;
  expect(fleet.settle()).toEqual([]);
  fleet.set("b", "gone", GONE_AFTER_MS);
  fleet.behind.add("d");
  expect(fleet.settle()).toEqual(["?d"]);
  fleet.behind.clear();
  const change = fleet.next();
  expect(change).toEqual({
    steps: [
      { kind: "remove", node: "b" },
      { kind: "addVoter", node: "d" },
    ],
    because: "b is gone, and d has caught up",
  });
  expect(fleet.settle()).toEqual(["-b +d"]);
  // Back again, it works without the log: no seat is open.
  expect(fleet.set("b", "fresh").settle()).toEqual([]);
  expect(fleet.story()).toBe("acd/");
});

test("a voter that comes back before its heir caught up keeps its seat, and the heir goes back to work", () => {
  const fleet = new FleetModel("abc", "d").set("b", "gone");
  fleet.votersMax = 3;
  fleet.behind.add("d");
  fleet.settle();
  expect(fleet.set("b", "fresh").settle()).toEqual(["-d"]);
});

test("nobody loses a seat while no other box could take it", () => {
  expect(new FleetModel("abc").set("c", "gone").settle()).toEqual([]);
  expect(new FleetModel("abcd").set("d", "gone").settle()).toEqual([]);
  expect(new FleetModel("abc", "d").set("c", "gone").set("d", "late").settle()).toEqual([]);
});

test("of two learners for one seat it is the one that is there", () => {
  const fleet = new FleetModel("abc", "de").set("c", "gone");
  fleet.votersMax = 3;
  fleet.behind.add("d");
  expect(fleet.settle()).toEqual(["?d"]);
  expect(fleet.set("d", "gone", 0).settle()).toEqual(["-d", "?e", "-c +e"]);
});

test("a voter off the roster leaves at once, with an heir if one is ready", () => {
  const alone = new FleetModel("abc");
  alone.remove("c");
  expect(alone.settle()).toEqual(["-c"]);
  const withHeir = new FleetModel("abc", "d");
  withHeir.learners = [id("d")];
  withHeir.remove("c");
  expect(withHeir.settle()).toEqual(["-c +d"]);
});

test("a removal that would leave fewer than a quorum waits for a box to come back", () => {
  const fleet = new FleetModel("abc").set("b", "gone", 10);
  fleet.remove("c");
  expect(fleet.next()).toBeUndefined();
  expect(fleet.set("b", "fresh").settle()).toEqual(["-c"]);
});

test("a leader that was taken off the roster may remove itself", () => {
  const fleet = new FleetModel("abc");
  fleet.remove("a");
  expect(fleet.settle()).toEqual(["-a"]);
});

test("a learner off the roster is out, and a witness is never a learner", () => {
  const fleet = new FleetModel("a", "", "w");
  fleet.learners = [id("x")];
  expect(fleet.settle()).toEqual(["-x"]);
});

test("a witness votes with two boxes and leaves when a third one votes, in the same step", () => {
  const fleet = new FleetModel("ab", "", "w");
  expect(fleet.settle()).toEqual(["+w!"]);
  fleet.nodes.push({ name: "c", part: "full", presence: "fresh", absentForMs: 0 });
  expect(fleet.settle()).toEqual(["?c", "-w +c"]);
  expect(fleet.story()).toBe("abc/");
});

test("with a witness the fourth box votes too, and the witness with it; the fifth sends the witness home", () => {
  const fleet = new FleetModel("abc", "d", "w");
  expect(fleet.settle()).toEqual(["?d", "+d +w!"]);
  fleet.nodes.push({ name: "e", part: "full", presence: "fresh", absentForMs: 0 });
  expect(fleet.settle()).toEqual(["?e", "-w +e"]);
});

test("a fleet of one box grows to two boxes and the witness in one step", () => {
  expect(new FleetModel("a", "b", "w").settle()).toEqual(["?b", "+b +w!"]);
});

test("one box and a witness are one voter: two votes that must agree are worse than one", () => {
  expect(new FleetModel("a", "", "w").settle()).toEqual([]);
});

test("with a witness a gone box of two is replaced, and the witness stays", () => {
  const fleet = new FleetModel("ab", "c", "w");
  fleet.voters = ["a", "b", "w"].map(id);
  fleet.votersMax = 2;
  expect(fleet.set("b", "gone").settle()).toEqual(["?c", "-b +c"]);
  expect(fleet.story()).toBe("acw/");
});

test("a witness that is gone for good is replaced by another, and by nothing else", () => {
  const fleet = new FleetModel("ab", "", "vw");
  fleet.voters = ["a", "b", "v"].map(id);
  expect(fleet.set("v", "gone").settle()).toEqual(["-v", "+w!"]);
  const alone = new FleetModel("ab", "", "v").set("v", "gone");
  alone.voters = ["a", "b", "v"].map(id);
  expect(alone.settle()).toEqual([]);
});

test("nothing is proposed while a change is under way", () => {
  const fleet = new FleetModel("a", "b");
  const input = { ...fleet.input(), isChanging: true };
  fleet.input = () => input;
  expect(fleet.next()).toBeUndefined();
});
