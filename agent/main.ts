/** Builds one agent out of the real rooms, joins them and starts them: the only file that sees everything. */
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ProviderTrial } from "../shared/box.ts";
import type { NodePart, RosterNode } from "../shared/fleet.ts";
import type { BlobHash, FleetId } from "../shared/ids.ts";
import { OPERATORS } from "../shared/pipeline/operators/index.ts";
import type { OperatorSpec } from "../shared/pipeline/operators.ts";
import { AGENT_VERSION } from "../shared/version.ts";
import { startApi } from "./api/index.ts";
import { openBlobs } from "./io/blobs/index.ts";
import { systemClock, systemRandomness } from "./io/clock/index.ts";
import { createFaults } from "./io/faults/index.ts";
import { openFitting } from "./io/fitting/index.ts";
import { openJournal } from "./io/journal/index.ts";
import { openModelFolders } from "./io/models/index.ts";
import { createPeerNetwork, createSigner } from "./io/network/index.ts";
import { openNotes } from "./io/notes/index.ts";
import { createProbe } from "./io/probe/index.ts";
import { createSolver } from "./io/solver/index.ts";
import { createTelemetry } from "./io/telemetry/index.ts";
import type {
  InferenceEngine,
  Journal,
  JournalContents,
  LogLevel,
  ProbeResult,
  Telemetry,
  Trials,
} from "./ports/index.ts";
import { Agent, type AgentFace, foundingContents, noEngine, type Surroundings } from "./runtime/index.ts";

export interface AgentConfig {
  dataDir: string;
  name: string;
  part: NodePart;
  /** libp2p's protobuf of the Ed25519 key. */
  nodeKey: Uint8Array;
  fleet: { fleetId: FleetId; fleetName: string; fleetSecret: string; founder: boolean; roster: RosterNode[] };
  network: { port: number; hosts: string[]; beacon: boolean };
  api: { host: string; port: number; token?: string };
  /** Default: what the firmware profile says for this box. 0: it runs nothing. */
  executors?: number;
  /** Of operators of this box's owner. Default: `operators` in the data folder. */
  operatorsFolder?: string;
  logLevel: LogLevel;
  /** Called when this box has left its fleet, before the agent stops. */
  onLeft: () => Promise<void>;
}

export interface RunningAgent {
  face: AgentFace;
  apiUrl: string;
  /** Why this box can run no inference, in a sentence; absent if it can. */
  runsNothing?: string;
  stop(): Promise<void>;
  /** Resolves when the agent has stopped, by whatever cause; rejects when it had to give up. */
  stopped: Promise<void>;
}

/** Resolves once the agent answers on its API and takes part in the fleet; its executors warm up behind that. */
export async function startAgent(config: AgentConfig): Promise<RunningAgent> {
  const { dataDir, fleet, network } = config;
  await mkdir(dataDir, { recursive: true });
  const telemetry = createTelemetry({ level: config.logLevel });
  const disk = { isFull: false };
  const isFull = (): boolean => disk.isFull;
  const probe = createProbe({
    dataDir,
    ownProfilesDir: join(dataDir, "profiles"),
    isDiskFull: isFull,
    ...(config.executors !== undefined ? { executorsWanted: config.executors } : {}),
    ...(config.part === "witness" ? {} : { tryProviders }),
  });
  const probed = await probe.probe();
  for (const refused of probed.profilesRefused) telemetry.log("warn", "profileRefused", { ...refused });
  const operators = new Map(OPERATORS);
  const operatorsFolder = config.operatorsFolder ?? join(dataDir, "operators");
  const onLocalOperators = (specs: readonly OperatorSpec[]): void => {
    for (const spec of specs) operators.set(spec.name, spec);
  };
  const world: Surroundings = {
    clock: systemClock,
    randomness: systemRandomness,
    journal: await openJournal(join(dataDir, "journal"), { telemetry, isFull }),
    network: createPeerNetwork(
      {
        nodeKey: config.nodeKey,
        fleetSecret: fleet.fleetSecret,
        fleetId: fleet.fleetId,
        nodeName: config.name,
        listenPort: network.port,
        listenHosts: network.hosts,
        beacon: network.beacon ? {} : "off",
        lastKnownAddressesFile: join(dataDir, "addresses.json"),
      },
      { telemetry },
    ),
    notes: await openNotes(join(dataDir, "notes"), { telemetry }),
    signer: createSigner(config.nodeKey),
    blobs: await openBlobs(join(dataDir, "blobs"), { telemetry, isFull }),
    models: await openModelFolders(join(dataDir, "models"), { telemetry, isFull }),
    engine:
      config.part === "witness" || probed.runsNothing
        ? noEngine
        : await createEngine(probed, telemetry, { operatorsFolder, onLocalOperators }),
    probe,
    ...(config.part === "witness" ? {} : { trials: await makeTrials() }),
    ...(config.part === "witness" ? {} : { fitting: await openFitting(join(dataDir, "datasets")) }),
    faults: createFaults({
      onDisk: (full) => {
        disk.isFull = full;
      },
    }),
    solver: createSolver({ telemetry }),
    telemetry,
    sha256: (bytes) => createHash("sha256").update(bytes).digest("hex") as BlobHash,
  };

  const ending = Promise.withResolvers<void>();
  const agent = new Agent(world, {
    name: config.name,
    agentVersion: AGENT_VERSION,
    apiUrl: config.api.token ? `http://${config.api.host}:${config.api.port}` : "",
    identity: fleet,
    roster: fleet.roster,
    founder: fleet.founder,
    part: config.part,
    probed,
    operators,
    contents: await loadJournal(world.journal, fleet.founder ? world.network.self : undefined),
    onStopRequested: () => void stop(),
    onLeft: config.onLeft,
    onFatal: (error) => {
      telemetry.log("error", "agentFailed", { reason: String(error) });
      void stop(error);
    },
  });
  const api = await startApi(agent, { ...config.api, telemetry });
  let stopping: Promise<void> | undefined;
  function stop(because?: unknown): Promise<void> {
    stopping ??= api
      .stop()
      .then(() => agent.stop())
      .then(() => (because === undefined ? ending.resolve() : ending.reject(because)), ending.reject);
    return stopping;
  }
  agent.start().catch((error: unknown) => stop(error));
  const { runsNothing } = probed;
  const said = runsNothing === undefined ? {} : { runsNothing };
  return { face: agent, apiUrl: api.url, ...said, stop: () => stop(), stopped: ending.promise };
}

/** Nor here. */
async function tryProviders(names: readonly string[]): Promise<ProviderTrial[]> {
  return (await import("./io/inference/index.ts")).tryProviders(names);
}

/** A witness never comes here, so it runs on a box without this room's packages. */
async function createEngine(
  probed: ProbeResult,
  telemetry: Telemetry,
  local: { operatorsFolder: string; onLocalOperators: (specs: readonly OperatorSpec[]) => void },
): Promise<InferenceEngine> {
  const { createInferenceEngine } = await import("./io/inference/index.ts");
  const memoryBytesPerExecutorMax = executorMemoryBytes(probed);
  return createInferenceEngine({ executors: probed.executors, memoryBytesPerExecutorMax, ...local }, { telemetry });
}

async function makeTrials(): Promise<Trials> {
  const { createTrials } = await import("./io/inference/index.ts");
  return createTrials();
}

/** Twice what reading a large page takes; less on a box that has less to share. */
const EXECUTOR_BYTES_MAX = 1.5 * 1024 ** 3;
const executorMemoryBytes = ({ facts, executors }: ProbeResult): number =>
  Math.min(EXECUTOR_BYTES_MAX, Math.floor(facts.memoryUsableBytes / executors));

/** A founder's journal begins with the entry that makes it the first voter. */
async function loadJournal(
  journal: Journal,
  founder: Parameters<typeof foundingContents>[0] | undefined,
): Promise<JournalContents> {
  const contents = await journal.load();
  if (!founder || contents.entries.length > 0 || contents.hardState.term > 0) return contents;
  const founding = foundingContents(founder);
  await journal.append(founding);
  return founding;
}
