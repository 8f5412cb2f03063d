/**
 * What the loss of a box costs a job of four boxes of one speed: makespan as a ratio to the healthy runs of the same run.
 * Each box has a network namespace and a control group of its own; needs root. `npm run bench -- plugs`.
 */
import type { RealAgent } from "../fleet/real-agent.ts";
import { type Boxes, raiseBoxes, whyNoBoxes } from "../unplug/boxes.ts";
import { canaries, roundsPerSecond, secondsOf, submit } from "../unplug/work.ts";
import { median, spread } from "./figures.ts";

const CORES_EACH = 0.4;
const ITEMS = 360;
/** Of one core; at its share a box takes longer. */
const ITEM_SECONDS = 0.08;
/** The plug is pulled when so many are recorded: the job has begun everywhere and nearly all is still to be done. */
const BEFORE_ITEMS = 12;

interface Case {
  name: string;
  /** The most that is promised. */
  target: number;
  /** Who it happens to: the leader, or another that did not take the job in. */
  isLeader?: true;
  strike(boxes: Boxes, victim: RealAgent): Promise<void>;
  heal(boxes: Boxes, victim: RealAgent): Promise<void>;
}

const CASES: readonly Case[] = [
  {
    name: "killed",
    target: 1.5,
    strike: (_, victim) => victim.kill(),
    heal: ({ fleet }, victim) => fleet.start(victim),
  },
  {
    name: "frozen",
    target: 1.5,
    strike: ({ cage }, victim) => cage(victim).freeze(),
    heal: ({ cage }, victim) => cage(victim).thaw(),
  },
  {
    name: "ten times slower",
    target: 1.4,
    strike: ({ cage }, victim) => cage(victim).limit(CORES_EACH / 10),
    heal: ({ cage }, victim) => cage(victim).limit(CORES_EACH),
  },
  {
    name: "cable pulled",
    target: 1.5,
    strike: ({ lan }, victim) => lan.unplug(victim.name),
    heal: ({ lan }, victim) => lan.plug(victim.name),
  },
  {
    name: "leader killed",
    target: 1.15,
    isLeader: true,
    // Only its agent dies and is started again at once, as by systemd: the box goes on.
    strike: async ({ fleet }, victim) => {
      await victim.kill();
      await fleet.start(victim);
    },
    heal: async () => {},
  },
  {
    name: "leader's cable pulled, and put back after 5 s",
    target: 1.2,
    isLeader: true,
    strike: async ({ lan }, victim) => {
      await lan.unplug(victim.name);
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      await lan.plug(victim.name);
    },
    heal: async () => {},
  },
];

const whyNot = await whyNoBoxes();
if (whyNot) {
  console.log(`skipped: ${whyNot}`);
  process.exit(0);
}
const wanted = process.argv.slice(2);
const rounds = Math.round(roundsPerSecond() * ITEM_SECONDS);
const boxes = await raiseBoxes(CORES_EACH);
try {
  console.log(`${ITEMS} canaries of ${ITEM_SECONDS} s on one core; four boxes of ${CORES_EACH} of a core`);
  const healthy = [await run(), await run()];
  console.log(
    `healthy: ${spread(
      healthy.map((s) => s * 10),
      "",
    ).trim()} tenths of a second`,
  );
  const cases = CASES.filter(({ name }) => wanted.length === 0 || wanted.some((word) => name.includes(word)));
  const figures: [Case, number][] = [];
  for (const one of cases) {
    figures.push([one, await run(one)]);
    console.log(`${one.name}: ${figures.at(-1)![1].toFixed(1)} s`);
  }
  healthy.push(await run());
  const base = median(healthy);
  console.log(`healthy again: ${healthy.at(-1)!.toFixed(1)} s; median ${base.toFixed(1)} s\n`);
  for (const [{ name, target }, seconds] of figures) {
    const ratio = seconds / base;
    console.log(
      `${name.padEnd(46)} ${ratio.toFixed(2)} of the healthy run (target ${target})${ratio > target ? "  MISSED" : ""}`,
    );
  }
} finally {
  await boxes.end();
}

/** Seconds of one job, with a fault in it or none. */
async function run(fault?: Case): Promise<number> {
  const { fleet } = boxes;
  await fleet.whole();
  const leader = await fleet.leader();
  const [taker, bystander] = fleet.others(leader) as [RealAgent, RealAgent];
  const victim = fault?.isLeader ? leader : bystander;
  const work = canaries(ITEMS, rounds);
  const jobId = await submit(taker.client, work);
  if (fault) {
    await fleet.until("the job has begun", () => fleet.recorded(jobId) >= BEFORE_ITEMS);
    await fault.strike(boxes, victim);
  }
  await fleet.jobEnded(jobId, [taker]);
  const { job, results } = await taker.client.results(jobId);
  if (results.length !== ITEMS || job.itemsFailed > 0)
    throw new Error(`${results.length} results, ${job.itemsFailed} failed`);
  await fault?.heal(boxes, victim);
  return secondsOf(job);
}
