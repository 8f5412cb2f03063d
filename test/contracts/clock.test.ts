/** What agent/ports/clock.ts promises, held against the real time and chance and the simulator's. */
import { describe, expect, test } from "vitest";
import { systemClock, systemRandomness } from "../../agent/io/clock/index.ts";
import type { Clock } from "../../agent/ports/index.ts";
import { BoxClock, seededRandomness, VirtualClock } from "../support/virtual-clock.ts";

const CLOCKS: { name: string; make: () => { clock: Clock; pass: (ms: number) => Promise<void> } }[] = [
  {
    name: "the system's clock",
    make: () => ({ clock: systemClock, pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)) }),
  },
  {
    name: "the virtual clock",
    make: () => {
      const clock = new VirtualClock();
      return { clock, pass: (ms) => clock.runUntil(clock.monotonicMs() + ms) };
    },
  },
  {
    name: "the clock of a pretend box",
    make: () => {
      const clock = new VirtualClock();
      return { clock: new BoxClock(clock), pass: (ms) => clock.runUntil(clock.monotonicMs() + ms) };
    },
  },
];

describe.each(CLOCKS)("$name", ({ make }) => {
  test("runs a timer once, not before its time", async () => {
    const { clock, pass } = make();
    const startMs = clock.monotonicMs();
    const ranAtMs: number[] = [];
    clock.after(15, () => ranAtMs.push(clock.monotonicMs() - startMs));
    expect(ranAtMs).toEqual([]);
    await pass(60);
    expect(ranAtMs.length).toBe(1);
    // Node's timers count whole milliseconds and may be up to one early.
    expect(ranAtMs[0]).toBeGreaterThanOrEqual(14);
  });

  test("runs timers in the order of their times, and those of one time in the order of arming", async () => {
    const { clock, pass } = make();
    const ran: string[] = [];
    clock.after(40, () => ran.push("late"));
    clock.after(1, () => ran.push("first"));
    clock.after(1, () => ran.push("second"));
    clock.after(-5, () => ran.push("overdue"));
    await pass(80);
    expect(ran.filter((name) => name !== "overdue")).toEqual(["first", "second", "late"]);
    expect(ran.indexOf("overdue")).toBeLessThan(ran.indexOf("late"));
  });

  test("never runs a timer in the call that arms it", async () => {
    const { clock, pass } = make();
    let ran = false;
    clock.after(0, () => {
      ran = true;
    });
    expect(ran).toBe(false);
    await pass(20);
    expect(ran).toBe(true);
  });

  test("repeats until it is cancelled, also from within", async () => {
    const { clock, pass } = make();
    let [ticks, others] = [0, 0];
    const cancel = clock.every(5, () => {
      ticks += 1;
      if (ticks === 3) cancel();
    });
    const cancelOther = clock.every(5, () => {
      others += 1;
    });
    await pass(80);
    cancelOther();
    const before = others;
    await pass(20);
    expect(ticks).toBe(3);
    expect(others).toBe(before);
    expect(before).toBeGreaterThan(3);
  });

  test("a cancelled timer never runs, and cancelling again does nothing", async () => {
    const { clock, pass } = make();
    let runs = 0;
    const cancel = clock.after(5, () => {
      runs += 1;
    });
    cancel();
    cancel();
    const cancelLate = clock.after(1, () => {
      runs += 1;
    });
    await pass(30);
    cancelLate();
    expect(runs).toBe(1);
  });

  test("takes delays of months", async () => {
    const { clock, pass } = make();
    let ran = false;
    const cancel = clock.after(90 * 24 * 3600 * 1000, () => {
      ran = true;
    });
    await pass(10);
    cancel();
    expect(ran).toBe(false);
  });

  test("its monotonic time never goes back, and its wall time is near it", async () => {
    const { clock, pass } = make();
    const [wallMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()];
    await pass(20);
    const passedMs = clock.monotonicMs() - monotonicMs;
    expect(passedMs).toBeGreaterThanOrEqual(19);
    expect(Math.abs(clock.nowMs() - wallMs - passedMs)).toBeLessThan(50);
  });
});

describe("the virtual clock alone", () => {
  test("lets everything that a timer started settle before the next one runs", async () => {
    const clock = new VirtualClock();
    const story: string[] = [];
    clock.after(10, async () => {
      for (let step = 0; step < 50; step++) await Promise.resolve();
      story.push("settled");
    });
    clock.after(10, () => story.push("next"));
    await clock.runUntil(10);
    expect(story).toEqual(["settled", "next"]);
  });

  test("runs what is armed on the way, and says when nothing is left", async () => {
    const clock = new VirtualClock();
    const ranAtMs: number[] = [];
    clock.after(5, () => clock.after(5, () => ranAtMs.push(clock.monotonicMs())));
    await clock.runUntil(9);
    expect([clock.monotonicMs(), clock.nextAtMs()]).toEqual([9, 10]);
    expect(await clock.runNext()).toBe(true);
    expect(ranAtMs).toEqual([10]);
    expect(await clock.runNext()).toBe(false);
    expect(clock.nextAtMs()).toBeUndefined();
  });

  test("a jump of the wall clock moves no timer", async () => {
    const clock = new VirtualClock();
    const before = clock.nowMs();
    clock.after(100, () => {});
    clock.jumpWallMs(-3_600_000);
    expect(clock.nowMs()).toBe(before - 3_600_000);
    expect(clock.nextAtMs()).toBe(100);
  });

  test("keeps a thousand timers in order, cancelled ones among them", async () => {
    const clock = new VirtualClock();
    const { random } = seededRandomness(7);
    const ran: number[] = [];
    const expected: number[] = [];
    for (let timer = 0; timer < 1000; timer++) {
      const atMs = Math.floor(random() * 300);
      const cancel = clock.after(atMs, () => ran.push(atMs * 1000 + timer));
      if (random() < 0.3) cancel();
      else expected.push(atMs * 1000 + timer);
    }
    await clock.runUntil(300);
    expect(ran).toEqual(expected.sort((a, b) => a - b));
  });

  test("runs a hundred thousand ticks in moments", async () => {
    const clock = new VirtualClock();
    let ticks = 0;
    clock.every(1, () => {
      ticks += 1;
    });
    await clock.runUntil(100_000);
    expect(ticks).toBe(100_000);
  });
});

describe("the clock of a pretend box alone", () => {
  test("holds its timers back while frozen and runs them in order at the thaw, a repeated one once", async () => {
    const clock = new VirtualClock();
    const box = new BoxClock(clock);
    const story: string[] = [];
    box.every(10, () => story.push(`tick ${clock.monotonicMs()}`));
    box.after(25, () => story.push("late"));
    const cancel = box.after(26, () => story.push("never"));
    clock.after(40, () => story.push("another box"));
    await clock.runUntil(15);
    box.freeze();
    await clock.runUntil(50);
    expect(story).toEqual(["tick 10", "another box"]);
    cancel();
    box.thaw();
    expect(story.slice(2)).toEqual(["tick 50", "late"]);
    await clock.runUntil(70);
    expect(story.slice(4)).toEqual(["tick 60", "tick 70"]);
  });

  test("runs nothing after its stop, what it held back included", async () => {
    const clock = new VirtualClock();
    const box = new BoxClock(clock);
    let runs = 0;
    box.every(5, () => {
      runs += 1;
    });
    box.after(7, () => {
      runs += 1;
    });
    box.freeze();
    await clock.runUntil(6);
    box.stop();
    box.thaw();
    await clock.runUntil(50);
    expect(runs).toBe(0);
    expect(clock.nextAtMs()).toBeUndefined();
  });
});

describe.each([
  ["the system's randomness", () => systemRandomness],
  ["the seeded randomness", () => seededRandomness(42)],
])("%s", (_, make) => {
  test("draws evenly from 0 to 1, 1 left out", () => {
    const { random } = make();
    const buckets = new Array<number>(10).fill(0);
    for (let draw = 0; draw < 20_000; draw++) {
      const value = random();
      expect(value >= 0 && value < 1).toBe(true);
      buckets[Math.floor(value * 10)]! += 1;
    }
    // 2000 each, with a standard deviation of 42: seven of them are one failure in 10^11 runs.
    for (const count of buckets) expect(Math.abs(count - 2000)).toBeLessThan(300);
  });

  test("makes tokens of 32 symbols without look-alikes, no two alike", () => {
    const randomness = make();
    const tokens = Array.from({ length: 500 }, () => randomness.token(12));
    for (const token of tokens) expect(token).toMatch(/^[0-9a-hjkmnp-tv-z]{12}$/);
    expect(new Set(tokens).size).toBe(500);
    expect(new Set(tokens.join("")).size).toBe(32);
    expect(randomness.token(0)).toBe("");
  });
});

test("the same seed draws the same, and another seed does not", () => {
  const drawn = (seed: number): number[] => {
    const { random } = seededRandomness(seed);
    return Array.from({ length: 5 }, random);
  };
  expect(drawn(1)).toEqual(drawn(1));
  expect(drawn(1)).not.toEqual(drawn(2));
});
