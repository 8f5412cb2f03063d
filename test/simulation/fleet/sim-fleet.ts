import { LedgerStill } from "../../../agent/core/ledger/index.ts";
import { invariant, SkeinError } from "../../../shared/errors.ts";
import type { RosterNode } from "../../../shared/fleet.ts";
import type { InviteId, JobId, NodeId } from "../../../shared/ids.ts";
import type { JobInput, JobSpec } from "../../../shared/job.ts";
import type { LedgerEntry } from "../../../shared/ledger-entry.ts";
import type { RaftEntry } from "../../../shared/raft.ts";
import { encodeLedgerEntry } from "../../../shared/wire/ledger.ts";
import { encodeConfState } from "../../../shared/wire/raft.ts";
import { PretendNet } from "../../support/pretend-network.ts";
import { seededRandomness, VirtualClock } from "../../support/virtual-clock.ts";
import { Checks } from "./checks.ts";
import { FLEET, SimNode, sha256 } from "./sim-node.ts";

const LETTERS = "abcdefghijkmnopqrstuvwxyz";
const nodeIdOf = (i: number): NodeId => `12D3KooW${LETTERS[i]!.repeat(44)}` as NodeId;
const STEP_MS = 50;

export interface SimFleetOptions {
  /** How many of the boxes vote from the start; the others have no log. Default: all. */
  voters?: number;
  /** One more box, the last, that only votes, and not from the start. */
  witness?: boolean;
  settings?: Record<string, string>;
}

/** A whole fleet in one process under one seed: the real runtime and cores over pretend network, disk, clock and engine. */
export class SimFleet {
  readonly seed: number;
  readonly clock = new VirtualClock();
  readonly random: ReturnType<typeof seededRandomness>;
  readonly net: PretendNet;
  readonly nodes: SimNode[];
  readonly checks: Checks;
  readonly jobs: { jobId: JobId; inputs: JobInput[] }[] = [];
  steps = 0;
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
    this.nodes = roster.map(({ nodeId, name, part }) => {
      const secondsPerItem = 0.05 + 0.4 * this.random.random();
      const executors = 1 + Math.floor(2 * this.random.random());
      const world = { net: this.net, clock: this.clock, randomness: this.random, onFatal };
      return new SimNode({ nodeId, name, secondsPerItem, executors, roster, ...(part ? { part } : {}) }, world);
    });
    this.checks = new Checks(this.nodes);
  }

  /** Every voter starts with the same agreed log: the fleet founded, everyone on the roster. */
  async start(): Promise<void> {
    const full = this.nodes.filter((node) => node.part === "full");
    const voters = full.slice(0, this.#options.voters ?? full.length);
    const entries = agreedLog(this.nodes, voters, this.#options.settings ?? {});
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

  get leader(): SimNode | undefined {
    return this.nodes.find((node) => node.agent?.raftStatus().role === "leader");
  }

  /** A client puts blobs and submits on one node; a refusal is an answer too. */
  async submit(node: SimNode, items: number, terms: Partial<JobSpec> = {}): Promise<JobId | undefined> {
    const { agent } = node;
    if (!agent || node.part === "witness") return undefined;
    const n = this.#submits++;
    const inputs: JobInput[] = [];
    for (let i = 0; i < items; i++) {
      const bytes = new TextEncoder().encode(`job ${n} page ${i} of seed ${this.seed}`);
      const blob = sha256(bytes);
      node.blobs.keep(blob, bytes);
      inputs.push({ name: `page-${i}`, blob, bytes: bytes.length });
    }
    const spec = { pipeline: "ocr", inputs, idempotencyKey: `key-${n}`, ...terms };
    const told = agent.submit(spec).then(
      ({ jobId }) => {
        this.jobs.push({ jobId, inputs });
        const known = this.nodes.map((one) => one.agent?.ledger.jobs.get(jobId)).find((job) => job !== undefined);
        if (known) this.checks.acknowledge(jobId, known.submittedAtIndex);
        return jobId;
      },
      (error: unknown) => {
        const { code } = SkeinError.from(error);
        invariant(EXPECTED_REFUSALS.includes(code), `a refused submit says why: ${code}`);
        return undefined;
      },
    );
    let answer: { jobId: JobId | undefined } | undefined;
    void told.then((jobId) => {
      answer = { jobId };
    });
    for (let waitedMs = 0; !answer && waitedMs < SUBMIT_MS; waitedMs += STEP_MS) await this.run(STEP_MS);
    // An agent that died in between never answers; the job may still have been agreed.
    return answer?.jobId;
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
      node.journal.isStalled = false;
      node.journal.isFull = false;
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
    const stories = holders.map((node) => storyOf(node));
    const areEnded = holders.every((node) =>
      [...node.agent!.ledger.jobs.values()].every((job) => job.state === "done"),
    );
    return areEnded && stories.every((story) => story === stories[0]);
  }

  story(): string {
    const lines = this.nodes
      .flatMap((node) => node.story)
      .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    return lines.slice(-200).join("\n");
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
  ];
  const normal = ledger.map(
    (entry, i): RaftEntry => ({ index: i + 2, term: 1, kind: "normal", data: encodeLedgerEntry(entry) }),
  );
  return [{ index: 1, term: 1, kind: "configuration", data: encodeConfState(conf) }, ...normal];
}
