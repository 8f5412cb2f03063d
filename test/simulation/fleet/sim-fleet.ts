import { LedgerStill } from "../../../agent/core/ledger/index.ts";
import { invariant, SkeinError } from "../../../shared/errors.ts";
import type { RosterNode } from "../../../shared/fleet.ts";
import type { BlobHash, InviteId, JobId, NodeId } from "../../../shared/ids.ts";
import type { JobInput, JobSpec } from "../../../shared/job.ts";
import type { LedgerEntry } from "../../../shared/ledger-entry.ts";
import type { RaftEntry } from "../../../shared/raft.ts";
import { encodeLedgerEntry } from "../../../shared/wire/ledger.ts";
import { encodeConfState } from "../../../shared/wire/raft.ts";
import { pretendOutput } from "../../support/pretend-engine.ts";
import { PretendNet } from "../../support/pretend-network.ts";
import { seededRandomness, VirtualClock } from "../../support/virtual-clock.ts";
import { Checks } from "./checks.ts";
import { FLEET, LARGE_SNAPSHOTS, SimNode, SMALL_SNAPSHOTS, sha256 } from "./sim-node.ts";

const LETTERS = "abcdefghijkmnopqrstuvwxyz";
/** In the order of the boxes, spelled so that a person can tell them apart. */
const nodeIdOf = (i: number): NodeId => {
  const [first, second] = [LETTERS[Math.floor(i / LETTERS.length) % LETTERS.length]!, LETTERS[i % LETTERS.length]!];
  const third = LETTERS[Math.floor(i / LETTERS.length ** 2)]!;
  return `12D3KooW${third}${first}${second.repeat(42)}` as NodeId;
};
const STEP_MS = 50;

export interface SimFleetOptions {
  /** How many of the boxes vote from the start; the others have no log. Default: all. */
  voters?: number;
  /** One more box, the last, that only votes, and not from the start. */
  witness?: boolean;
  settings?: Record<string, string>;
  /** What was agreed on besides, before the fleet starts. */
  agreed?: LedgerEntry[];
  /** How long an item takes, drawn for each box. Default: so short that a minute sees much. */
  secondsPerItem?: readonly [min: number, max: number];
  /** Every box is like this one. Default: each is another. */
  alike?: { secondsPerItem: number; executors: number };
}

const SECONDS_PER_ITEM = [0.05, 0.45] as const;
/** From here on snapshots are as rare as in a real fleet. */
const LARGE_NODES = 10;

/** A whole fleet in one process under one seed: the real runtime and cores over pretend network, disk, clock and engine. */
export class SimFleet {
  readonly seed: number;
  readonly clock = new VirtualClock();
  readonly random: ReturnType<typeof seededRandomness>;
  readonly net: PretendNet;
  readonly nodes: SimNode[];
  readonly checks: Checks;
  readonly jobs: { jobId: JobId; inputs: JobInput[] }[] = [];
  readonly #texts = new Map<BlobHash, Uint8Array>();
  steps = 0;
  /** Called after each step. */
  onStep: () => void = () => {};
  readonly #options: SimFleetOptions;
  #submits = 0;
  #fatal: unknown;

  constructor(seed: number, size: number, options: SimFleetOptions = {}) {
    this.seed = seed;
    this.#options = options;
    this.random = seededRandomness(seed);
    this.net = new PretendNet(this.clock, this.random);
    const roster: RosterNode[] = Array.from({ length: size + (options.witness ? 1 : 0) }, (_, i) => ({
      nodeId: nodeIdOf(i),
      name: `n${i}`,
      addresses: [`/ip4/10.0.0.${i + 1}/tcp/7400`],
      admittedAtIndex: 0,
      ...(i === size ? { part: "witness" as const } : {}),
    }));
    const onFatal = (error: unknown): void => {
      this.#fatal ??= error;
    };
    const [fastest, slowest] = options.secondsPerItem ?? SECONDS_PER_ITEM;
    const snapshotLimits = size >= LARGE_NODES ? LARGE_SNAPSHOTS : SMALL_SNAPSHOTS;
    this.nodes = roster.map(({ nodeId, name, part }) => {
      const drawn = {
        secondsPerItem: fastest + (slowest - fastest) * this.random.random(),
        executors: 1 + Math.floor(2 * this.random.random()),
      };
      const { secondsPerItem, executors } = options.alike ?? drawn;
      const world = { net: this.net, clock: this.clock, randomness: this.random, onFatal };
      const box = { nodeId, name, secondsPerItem, executors, roster, snapshotLimits, ...(part ? { part } : {}) };
      return new SimNode(box, world);
    });
    this.checks = new Checks(this.nodes, (input) => {
      const bytes = this.#texts.get(input);
      return bytes && sha256(pretendOutput(bytes));
    });
  }

  /** Every voter starts with the same agreed log: the fleet founded, everyone on the roster. */
  async start(): Promise<void> {
    const full = this.nodes.filter((node) => node.part === "full");
    const voters = full.slice(0, this.#options.voters ?? full.length);
    const entries = agreedLog(this.nodes, voters, this.#options.settings ?? {}, this.#options.agreed ?? []);
    for (const node of this.nodes) {
      if (!voters.includes(node)) {
        await node.start();
        continue;
      }
      const journal = node.journal.open();
      const written = journal.append({ hardState: { term: 1, vote: "", commit: entries.length }, entries });
      await this.clock.runUntil(this.clock.monotonicMs() + 20);
      await written;
      await journal.close();
      await node.start();
    }
  }

  /** Lets time pass; everything that must always hold is checked after each step. */
  async run(forMs: number): Promise<void> {
    const untilMs = this.clock.monotonicMs() + forMs;
    while (this.clock.monotonicMs() < untilMs) {
      await this.clock.runUntil(Math.min(untilMs, this.clock.monotonicMs() + STEP_MS));
      this.steps++;
      if (this.#fatal) throw this.#fatal;
      this.checks.afterStep();
      this.onStep();
    }
  }

  /** Runs until it holds. @throws if it does not within `withinMs` of the fleet's time */
  async until(what: string, holds: () => boolean, withinMs: number): Promise<number> {
    const startMs = this.clock.monotonicMs();
    while (!holds()) {
      invariant(this.clock.monotonicMs() - startMs < withinMs, `${what} within ${withinMs} ms`);
      await this.run(STEP_MS);
    }
    return this.clock.monotonicMs() - startMs;
  }

  /** Reports of items that were recorded already, by the newest ledger. */
  get duplicates(): number {
    const ledgers = this.nodes.flatMap(({ agent }) => (agent ? [agent.ledger] : []));
    const [newest] = ledgers.sort((a, b) => b.appliedIndex - a.appliedIndex);
    return [...(newest?.jobs.values() ?? [])].reduce((sum, job) => sum + job.duplicatesIgnored, 0);
  }

  /** What it comes to while the fleet's time goes on; rejects as it does. */
  async settled<T>(promise: Promise<T>, withinMs: number): Promise<T> {
    let told: { value: T } | { error: unknown } | undefined;
    promise.then(
      (value) => {
        told = { value };
      },
      (error: unknown) => {
        told = { error };
      },
    );
    await this.until("an answer", () => told !== undefined, withinMs);
    if (!("value" in told!)) throw told!.error;
    return told.value;
  }

  get leader(): SimNode | undefined {
    return this.nodes.find((node) => node.agent?.raftStatus().role === "leader");
  }

  /** A client puts blobs and submits on one node; a refusal is an answer too. Waits a while for it. */
  async submit(node: SimNode, items: number, terms: Partial<JobSpec> = {}): Promise<JobId | undefined> {
    let answer: { jobId: JobId | undefined } | undefined;
    void this.handIn(node, items, terms).then((jobId) => {
      answer = { jobId };
    });
    for (let waitedMs = 0; !answer && waitedMs < SUBMIT_MS; waitedMs += STEP_MS) await this.run(STEP_MS);
    // An agent that died in between never answers; the job may still have been agreed.
    return answer?.jobId;
  }

  /** The same while time goes on by itself. @throws for a refusal that gives no reason it may give */
  async handIn(node: SimNode, items: number, terms: Partial<JobSpec> = {}): Promise<JobId | undefined> {
    const { agent } = node;
    if (!agent || node.part === "witness") return undefined;
    const n = this.#submits++;
    const inputs = Array.from({ length: items }, (_, i): JobInput => {
      const bytes = new TextEncoder().encode(`job ${n} page ${i} of seed ${this.seed}`);
      const blob = sha256(bytes);
      this.#texts.set(blob, bytes);
      node.blobs.keep(blob, bytes);
      return { name: `page-${i}`, blob, bytes: bytes.length };
    });
    try {
      const { jobId } = await agent.submit({ pipeline: "ocr", inputs, idempotencyKey: `key-${n}`, ...terms });
      this.jobs.push({ jobId, inputs });
      const known = this.nodes.map((one) => one.agent?.ledger.jobs.get(jobId)).find((job) => job !== undefined);
      if (known) this.checks.acknowledge(jobId, known.submittedAtIndex);
      return jobId;
    } catch (error) {
      const { code } = SkeinError.from(error);
      const isExpected = EXPECTED_REFUSALS.includes(code) || (items === 0 && code === "BAD_REQUEST");
      if (!isExpected) this.#fatal ??= new Error(`a refused submit says why: ${code}`);
      return undefined;
    }
  }

  /** Every wire is whole and every frozen box goes on. */
  mend(): void {
    this.net.heal();
    for (const node of this.nodes) node.thaw();
  }

  /** Mends everything and starts every box. */
  async heal(): Promise<void> {
    this.mend();
    this.net.setLoss(0);
    this.net.setDelay(1, 3);
    for (const node of this.nodes) {
      node.slow(1);
      node.journal.isStalled = false;
      node.journal.isFull = false;
      node.blobs.capacityBytes = Number.POSITIVE_INFINITY;
      if (!node.isUp) await node.start();
    }
  }

  /** Every acknowledged job has ended on every node, and all ledgers tell the same. */
  hasConverged(): boolean {
    const { leader } = this;
    if (!leader || this.nodes.some((node) => !node.agent)) return false;
    const { voters, learners, witnesses } = leader.agent!.raftStatus().conf;
    const holders = this.nodes.filter(({ agent }) => agent!.holdsLedger);
    const expected = [...voters, ...learners].filter((nodeId) => !witnesses.includes(nodeId));
    if (!expected.every((nodeId) => holders.some((node) => node.nodeId === nodeId))) return false;
    const [first] = holders;
    if (!holders.every(({ agent }) => agent!.ledger.appliedIndex === first!.agent!.ledger.appliedIndex)) return false;
    if (first!.agent!.ledger.openJobs().length > 0) return false;
    const stories = holders.map((node) => storyOf(node));
    return stories.every((story) => story === stories[0]);
  }

  /** What the boxes told in the last seconds, in the order of time. */
  story(lastMs = Number.POSITIVE_INFINITY, lines = 200): string {
    const sinceMs = this.clock.monotonicMs() - lastMs;
    const named = (line: string): string =>
      line.replace(/12D3KooW[a-z]{44}/g, (nodeId) => this.nodes.find((node) => node.nodeId === nodeId)?.name ?? nodeId);
    const told = this.nodes.flatMap((node) => node.storySince(sinceMs).map(named));
    return told
      .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
      .slice(-lines)
      .join("\n");
  }
}

const SUBMIT_MS = 8_000;
const EXPECTED_REFUSALS = [
  "NO_QUORUM",
  "PROPOSAL_DROPPED",
  "COPIES_SHORT",
  "UNKNOWN_PIPELINE",
  "NOT_READY",
  "BLOB_MISSING",
  "NO_LEADER",
];

/** Everything its ledger says, as it would be written down. */
const storyOf = (node: SimNode): string =>
  sha256(Buffer.concat([...new LedgerStill(node.agent!.ledger).pieces(Number.POSITIVE_INFINITY)]));

function agreedLog(
  nodes: readonly SimNode[],
  voting: readonly SimNode[],
  settings: Record<string, string>,
  agreed: readonly LedgerEntry[],
): RaftEntry[] {
  const voters = voting.map((node) => node.nodeId);
  const conf = { voters, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false, witnesses: [] };
  const [founder, ...others] = nodes.map((node, i) => ({
    nodeId: node.nodeId,
    name: node.name,
    addresses: [`/ip4/10.0.0.${i + 1}/tcp/7400`],
    ...(node.part === "witness" ? { part: node.part } : {}),
  }));
  const ledger: LedgerEntry[] = [
    { kind: "fleetFounded", fleetId: FLEET.fleetId, name: FLEET.fleetName, founder: founder! },
    ...others.flatMap((node): LedgerEntry[] => {
      const inviteId = `inv-${node.name}` as InviteId;
      return [
        { kind: "inviteIssued", inviteId, secretHash: "h", expiresAtMs: 1 },
        { kind: "nodeAdmitted", inviteId, ...node, admittedAtMs: 0 },
      ];
    }),
    ...Object.entries(settings).map(([name, value]): LedgerEntry => ({ kind: "settingChanged", name, value })),
    ...agreed,
  ];
  const normal = ledger.map(
    (entry, i): RaftEntry => ({ index: i + 2, term: 1, kind: "normal", data: encodeLedgerEntry(entry) }),
  );
  return [{ index: 1, term: 1, kind: "configuration", data: encodeConfState(conf) }, ...normal];
}
