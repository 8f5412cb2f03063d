import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkHistory, checkKey } from "./check.ts";
import { explain } from "./explain.ts";
import { type Operation, Recorder, readHistory, type Verb } from "./history.ts";
import { readVerdicts } from "./verdicts.ts";
import { Visited } from "./visited.ts";

const FOLDER = new URL("histories", import.meta.url).pathname;
const expected = await readVerdicts(FOLDER);

const verdictOf = (operations: readonly Operation[]): string =>
  checkHistory(operations).some(({ verdict }) => verdict !== "linearizable") ? "not linearizable" : "linearizable";

test("every history in the folder has a verdict", async () => {
  const files = (await readdir(FOLDER)).filter((name) => name.endsWith(".txt"));
  expect(files.sort()).toEqual([...expected.keys()].sort());
});

test.each([...expected])("%s is %s", async (file, wanted) => {
  expect(verdictOf(readHistory(await readFile(join(FOLDER, file), "utf8")))).toBe(wanted);
});

/** A get reads, a write knows what it writes; none ends before it starts. */
const histories = fc
  .array(
    fc.record({
      verb: fc.constantFrom<Verb>("get", "get", "put", "append"),
      value: fc.constantFrom("", "a", "b", "ab", "ba"),
      starts: fc.integer({ min: 0, max: 12 }),
      takes: fc.integer({ min: 1, max: 8 }),
      isOpen: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((all) => {
    const operations = all.map(({ verb, value, starts, takes, isOpen }, i): Operation => {
      // No two events at one time.
      const endsAt =
        isOpen && verb !== "get" ? Number.POSITIVE_INFINITY : 2 * (starts + takes) * all.length + 2 * i + 1;
      return { process: `${i}`, verb, key: "k", value, startsAt: 2 * starts * all.length + 2 * i, endsAt };
    });
    return operations;
  });

/** All orders of all subsets that contain what has ended. */
function bruteForce(left: readonly Operation[], state: string): boolean {
  if (left.every(({ endsAt }) => !Number.isFinite(endsAt))) return true;
  return left.some((next) => {
    if (left.some((other) => other.endsAt < next.startsAt)) return false;
    if (next.verb === "get" && next.value !== state) return false;
    const after = next.verb === "get" ? state : next.verb === "put" ? next.value : state + next.value;
    return bruteForce(
      left.filter((one) => one !== next),
      after,
    );
  });
}

test("the verdict is that of trying every order", () => {
  let [good, bad] = [0, 0];
  fc.assert(
    fc.property(histories, (operations) => {
      const wanted = bruteForce(operations, "");
      if (wanted) good++;
      else bad++;
      expect(checkKey("k", operations).verdict).toBe(wanted ? "linearizable" : "not linearizable");
    }),
    { numRuns: 5_000 },
  );
  expect(Math.min(good, bad), "both verdicts are met often").toBeGreaterThan(500);
});

test("the order that is given for a linearizable history holds", () => {
  fc.assert(
    fc.property(histories, (operations) => {
      const { verdict, order } = checkKey("k", operations);
      if (verdict !== "linearizable") return;
      let state = "";
      for (const [i, { verb, value, startsAt }] of order.entries()) {
        expect(order.slice(i).every((later) => later.endsAt > startsAt)).toBe(true);
        if (verb === "get") expect(value).toBe(state);
        else state = verb === "put" ? value : state + value;
      }
    }),
  );
});

/** What clients see of a map that does as it should, each operation taking effect somewhere within its time. */
function simulated(clients: number, operations: number, random: () => number): Recorder {
  const recorder = new Recorder();
  const map = new Map<string, string>();
  const under = new Map<number, { verb: Verb; key: string; value: string; read?: string; isDone: boolean }>();
  for (let n = 0; n < operations * 3; n++) {
    const client = Math.floor(random() * clients);
    const current = under.get(client);
    if (!current) {
      const verb: Verb = (["get", "put", "append"] as const)[Math.floor(random() * 3)]!;
      const key = `k${Math.floor(random() * 3)}`;
      recorder.invoke(`${client}`, verb, key, verb === "get" ? undefined : `${n};`);
      under.set(client, { verb, key, value: `${n};`, isDone: false });
    } else if (!current.isDone) {
      current.isDone = true;
      current.read = map.get(current.key) ?? "";
      if (current.verb === "put") map.set(current.key, current.value);
      if (current.verb === "append") map.set(current.key, current.read + current.value);
    } else {
      recorder.ok(`${client}`, current.read);
      under.delete(client);
    }
  }
  return recorder;
}

function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe("many clients at once", () => {
  test.each([1, 2, 3, 4, 5])("what a sound map answers is linearizable, seed %i", (seed) => {
    const { operations } = simulated(30, 1_500, seeded(seed));
    expect(operations.length).toBeGreaterThan(1_000);
    expect(verdictOf(operations)).toBe("linearizable");
  });

  test.each([1, 2, 3, 4, 5])("one read of what was never there is found among them, seed %i", (seed) => {
    const { operations } = simulated(30, 1_500, seeded(seed));
    const reads = operations.filter(({ verb, value }) => verb === "get" && value.includes(";"));
    const read = reads[Math.floor(reads.length / 2)]!;
    read.value = read.value.replace(/[^;]*;$/, "phantom;");
    expect(verdictOf(operations)).toBe("not linearizable");
  });

  test("what was recorded is read back the same", () => {
    const recorder = simulated(10, 300, seeded(9));
    expect(readHistory(recorder.lines.join("\n"))).toEqual(recorder.operations);
  });
});

test("a violation is told with the operations up to it, and which of them fits nowhere", async () => {
  const operations = readHistory(await readFile(join(FOLDER, "stale-read.txt"), "utf8"));
  expect(explain(checkHistory(operations)).split("\n").slice(2)).toEqual([
    '  events      0 to      1  process 0                  1.  put "a"',
    '  events      2 to      3  process 0                  2.  put "b"',
    '  events      4 to      5  process 1        fits nowhere  get -> "a"',
  ]);
});

test("a line that is no event is refused by its number", () => {
  expect(() => readHistory('\n{:process 0, :type :invoke, :f :cas, :key "x", :value nil}')).toThrow(/line 2/);
  expect(() => readHistory('{:process 0, :type :ok, :f :get, :key "x", :value "a"}')).toThrow(/did not begin/);
});

test("the set of visited configurations knows each exactly, however many", () => {
  const visited = new Visited(2);
  const known = new Set<string>();
  const random = seeded(4);
  for (let i = 0; i < 50_000; i++) {
    const [a, b, state] = [Math.floor(random() * 64), Math.floor(random() * 64) << 26, Math.floor(random() * 64)];
    const name = `${a} ${b} ${state}`;
    expect(visited.add(Int32Array.of(a, b), state)).toBe(!known.has(name));
    known.add(name);
  }
  expect(visited.count).toBe(known.size);
});
