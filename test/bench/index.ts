/** `npm run bench`: every bench one after the other, each in a process of its own; `npm run bench -- idle failover` for some. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const BENCHES: Record<string, string> = {
  agent: "the job on one agent against a bare loop over onnxruntime-node",
  inference: "the engine alone against that loop, and where a page's time goes",
  stages: "empty stages of a pipeline in one executor, and ten thousand elements that fan out",
  applications: "every application over three agents, cut into stages and with agents killed, against one agent alone",
  crossing: "empty stages each on another of three agents, and ten thousand elements over all of them",
  dispatch: "the dispatch policy against the fluid bound, and steps a second of its core",
  placement: "models on boxes: what is served against the linear bound, and without the solver",
  network: "hand-over of a shard's input, and a small request beside a bulk transfer",
  shards: "what each empty item costs through the whole system, beside Dask distributed",
  delivery: "a model to four nodes beside to one, when the origin's uplink is the limit",
  bigjob: "a job over more bytes than the boxes have memory",
  failover: "leader killed to next recorded result",
  quotas: "three boxes of unequal speed together against the sum of each alone, and small jobs against the fastest",
  plugs: "what a box killed, frozen, slowed or cut off costs a job of four boxes",
  alarms: "false alarms at full load, with agents that pause",
  silence: "a worker frozen to its work leased elsewhere",
  etcd: "agreed writes, and the next one after the leader is killed, beside etcd",
  tune: "the OCR models as tuned against onnxruntime's defaults",
  profiles: "what a profile of the OCR models is, and how much it scatters",
  cascade: "intents by a small model first, against the large one for every question",
  fit: "a head over rows on three boxes against one box with all rows, and with the box that was asked killed",
  idle: "an agent with nothing to do",
};

const wanted = process.argv.slice(2);
for (const [name, says] of Object.entries(BENCHES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`\n== ${name}: ${says}`);
  const { status } = spawnSync(process.execPath, [fileURLToPath(new URL(`${name}.ts`, import.meta.url))], {
    stdio: "inherit",
  });
  if (status !== 0) process.exitCode = 1;
}
