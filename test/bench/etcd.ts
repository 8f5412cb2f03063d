/**
 * Agreed writes of 128 bytes, beside etcd where it is installed: three members each on loopback, one load generator,
 * 1, 32 and 256 writers spread over the members; then the leader is killed, and the next acknowledged write awaited.
 * Each in its own native protocol. `node test/bench/etcd.ts [seconds] [kills]`; the two take turns.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Contender, Member } from "./consensus/contender.ts";
import { EtcdFleet, etcdVersion } from "./consensus/etcd.ts";
import { SkeinFleet } from "./consensus/skein.ts";
import { median, quantile, spread } from "./figures.ts";

const WRITERS = [1, 32, 256];
const ROUNDS = 3;
const VALUE = "x".repeat(128);
const SECONDS = Number(process.argv[2] ?? 5);
const KILLS = Number(process.argv[3] ?? 10);
/** Each warms up before it counts: connections, compilers, caches. */
const WARM_SECONDS = 2;
/** Between a restart and the next kill, so that the killed member has caught up. */
const REST_MS = 2_000;

interface Speed {
  perSecond: number;
  p50: number;
  p99: number;
}

/** Each writer writes its own key, one after the other, to one member. */
async function write({ members }: Contender, writers: number, seconds: number): Promise<Speed> {
  const endsAtMs = performance.now() + 1_000 * seconds;
  const latencies: number[] = [];
  const startMs = performance.now();
  const writer = async (n: number): Promise<void> => {
    const member = members[n % members.length]!;
    while (performance.now() < endsAtMs) {
      const sentMs = performance.now();
      await member.put(`bench-${n}`, VALUE);
      latencies.push(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, n) => writer(n)));
  const perSecond = (1_000 * latencies.length) / (performance.now() - startMs);
  return { perSecond, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) };
}

/** A write is sent to each survivor this often, whether or not those before it were answered: some systems hold them back. */
const PROBE_MS = 20;

/** From SIGKILL to the first acknowledgement of a write that was sent after it. */
async function failover(fleet: Contender): Promise<number> {
  const killed = await fleet.leader();
  const others = fleet.members.filter((member) => member !== killed);
  await killed.kill();
  const killedMs = performance.now();
  const stop = new AbortController();
  await Promise.race(others.map((member) => untilWritten(member, stop.signal)));
  const tookMs = performance.now() - killedMs;
  stop.abort();
  await killed.start();
  await sleep(REST_MS);
  return tookMs;
}

function untilWritten(member: Member, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const probe = (): void => {
      if (signal.aborted) return;
      member.put("bench-failover", VALUE).then(resolve, () => {});
      setTimeout(probe, PROBE_MS);
    };
    probe();
  });
}

const version = etcdVersion();
if (!version) console.log("etcd is not installed (Debian: etcd-server), so skein is measured alone");
const fleets: Contender[] = [await SkeinFleet.raise(), ...(version ? [await EtcdFleet.raise(3)] : [])];
try {
  console.log(
    `128-byte values, 3 members each on loopback, ${ROUNDS} rounds of ${SECONDS} s in turns; etcd ${version ?? "-"}`,
  );
  for (const writers of WRITERS) {
    for (const fleet of fleets) await write(fleet, writers, WARM_SECONDS);
    const speeds = new Map<Contender, Speed[]>(fleets.map((fleet) => [fleet, []]));
    for (let round = 0; round < ROUNDS; round++)
      for (const fleet of fleets) speeds.get(fleet)!.push(await write(fleet, writers, SECONDS));
    for (const fleet of fleets) {
      const of = (key: keyof Speed): number => median(speeds.get(fleet)!.map((speed) => speed[key]));
      const latency = `p50 ${of("p50").toFixed(2)} ms, p99 ${of("p99").toFixed(2)} ms`;
      console.log(
        `${String(writers).padStart(3)} writers  ${fleet.name.padEnd(5)}  ${Math.round(of("perSecond"))}/s, ${latency}`,
      );
    }
  }
  const waits = new Map<Contender, number[]>(fleets.map((fleet) => [fleet, []]));
  for (let kill = 0; kill < KILLS; kill++) for (const fleet of fleets) waits.get(fleet)!.push(await failover(fleet));
  for (const fleet of fleets) {
    const ms = waits.get(fleet)!;
    console.log(
      `leader killed to next write  ${fleet.name.padEnd(5)}  median ${Math.round(median(ms))} ms (${spread(ms, "ms")}) of ${KILLS}`,
    );
  }
} finally {
  await Promise.all(fleets.map((fleet) => fleet.end()));
}
