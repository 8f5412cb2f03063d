/** The dispatch core alone: how close its jobs end to the fluid bound, what is done twice, and steps a second. */
import { Dispatch, type DispatchEffect, type DispatchNode } from "../../agent/core/dispatch/index.ts";
import type { JobId, NodeId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { simulatePolicy } from "../core/dispatch/policy.ts";
import { POLICY_CASES } from "../core/dispatch/policy-cases.ts";
import { overFastestAlone, SMALL_JOBS } from "../core/dispatch/small-jobs.ts";
import { median, quantile } from "./figures.ts";

const SEEDS = Number(process.env.SKEIN_BENCH_SEEDS ?? 20);
const ROUNDS = 5;

const percent = (part: number): string => `${(100 * part).toFixed(2)} %`;

function tellPolicy(): void {
  console.log(
    `20 nodes, speeds 1 to 10, 20,000 items, ${SEEDS} seeds; makespan over the fluid bound (target 1.05 / 1.10; with 200 ms a hand-over median 1.10):`,
  );
  for (const { name, setting } of POLICY_CASES) {
    const outcomes = Array.from({ length: SEEDS }, (_, seed) => simulatePolicy(setting, seed + 1));
    const ratios = outcomes.map(({ makespanSeconds, boundSeconds }) => makespanSeconds / boundSeconds);
    const repeated = outcomes.map(({ repeatedPart }) => repeatedPart);
    const spread = `median ${median(ratios).toFixed(3)}, p95 ${quantile(ratios, 0.95).toFixed(3)}`;
    const twice = `done twice ${percent(median(repeated))}, at most ${percent(Math.max(...repeated))}`;
    const foretold = percent(median(outcomes.map(({ predictionError }) => predictionError)));
    console.log(
      `  ${name.padEnd(40)} ${spread}; ${twice} (target under 2 %); shard times foretold to within ${foretold} (target 10 %)`,
    );
  }
}

function tellSmallJobs(): void {
  console.log(
    `boxes of speed 1 : 0.5 : 0.25 with hand-overs of 0 to 400 ms, ${10 * SEEDS} seeds; end over that of the best box alone (target never over 1):`,
  );
  for (const items of SMALL_JOBS) {
    const ratios = Array.from({ length: 10 * SEEDS }, (_, seed) => overFastestAlone(items, seed + 1));
    const worst = Math.max(...ratios).toFixed(3);
    console.log(
      `  ${`${items} ${items === 1 ? "item" : "items"}`.padEnd(40)} median ${median(ratios).toFixed(3)}, worst ${worst}`,
    );
  }
}

/** A job of the largest size on 20 nodes that report and record each item alone, in turns, as fast as they are asked. */
function stepsOfOneJob(): { steps: number; ms: number } {
  const dispatch = new Dispatch(1);
  const nodes: DispatchNode[] = Array.from({ length: 20 }, (_, i) => ({
    nodeId: `node-${String(i).padStart(2, "0")}` as NodeId,
    name: `node-${i}`,
    executors: 4,
    rates: new Map([["ocr", 50 + 20 * i]]),
    eligible: true,
    suspect: false,
  }));
  const jobId = "job-x" as JobId;
  const items = Array.from({ length: LIMITS.jobItemsMax }, (_, item) => item);
  const queue: { node: NodeId; item: number }[] = [];
  let nowMs = 0;
  let steps = 0;
  const step = (event: Parameters<Dispatch["step"]>[0]): void => {
    steps++;
    for (const effect of dispatch.step(event, nowMs) as DispatchEffect[])
      if (effect.kind === "leaseShard") for (const item of effect.items) queue.push({ node: effect.node, item });
  };
  const startedMs = performance.now();
  step({ kind: "nodesChanged", nodes });
  const about = { pipeline: "ocr", priority: "normal" as const, deadlineAtMs: Number.POSITIVE_INFINITY, paused: false };
  step({ kind: "jobOpened", jobId, items, ...about });
  for (let next = queue.shift(); next; next = queue.shift()) {
    nowMs += 0.2;
    const { node, item } = next;
    step({ kind: "itemReported", node, jobId, item, durationMs: 10 });
    step({ kind: "itemsRecorded", jobId, items: [item], node });
  }
  return { steps, ms: performance.now() - startedMs };
}

tellPolicy();
tellSmallJobs();
const rounds = Array.from({ length: ROUNDS }, stepsOfOneJob);
const perSecond = median(rounds.map(({ steps, ms }) => (1_000 * steps) / ms));
console.log(
  `steps: ${Math.round(perSecond).toLocaleString("en")} a second, job of ${LIMITS.jobItemsMax} items on 20 nodes (target: thousands of items, of two steps each)`,
);
