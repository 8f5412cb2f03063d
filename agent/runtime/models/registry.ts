import { canonicalJson } from "../../../shared/canonical-json.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import {
  checkManifest,
  checkModelName,
  type ModelFile,
  type ModelManifest,
  modelReference,
  modelStatement,
} from "../../../shared/model.ts";
import { graphsOf, modelNameFrom, type UnsortedFile } from "../../../shared/model-files.ts";
import type {
  ModelAddRequest,
  ModelAddStep,
  ModelAddView,
  ModelCheckAnswer,
  ModelCheckRequest,
  ModelView,
} from "../../../shared/model-registry.ts";
import { fleetSettings } from "../../../shared/settings.ts";
import type { Ledger } from "../../core/ledger/index.ts";
import type { Deputy } from "../deputy.ts";
import { checkBlobs, type DurableParts, makeDurable } from "../durable.ts";
import type { Events } from "../events.ts";
import type { Proposer } from "../proposer.ts";
import type { Surroundings } from "../surroundings.ts";
import { within } from "../waiting.ts";
import { examine, placeFiles, trialsOf } from "./examining.ts";
import { withPieces } from "./pieces.ts";
import { readFiles } from "./reading.ts";
import { checkRoom, type Room } from "./room.ts";

export interface RegistryParts extends DurableParts {
  ledger: Ledger;
  proposer: Proposer;
  events: Events;
  deputy: Deputy;
  noQuorum: () => SkeinError | undefined;
  room: Room;
}

/** One that is being added, for whoever asks how far it is. */
interface Adding {
  step: ModelAddStep;
  /** Never rejects. */
  ended: Promise<ModelAddView | SkeinError>;
}

/** What came of it is kept so long for whoever asks again. */
const KEPT_MS = 10_000;
/** Others may add a version of that name at the same moment. */
const VERSION_TRIES = 8;

/**
 * Takes models in on any node: reads what the files are, examines the graph in a process of its own, copies the files until
 * they are durable, and has the manifest agreed. Asked again with the same request it tells how far it is; the same files
 * again under the same name are no new version, so a client may ask on any node after a failure.
 */
export class ModelRegistry {
  readonly #world: Surroundings;
  readonly #parts: RegistryParts;
  readonly #adding = new Map<string, Adding>();
  readonly #inHand = new Set<BlobHash>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(world: Surroundings, parts: RegistryParts) {
    this.#world = world;
    this.#parts = parts;
  }

  /** Folders that are being examined: not to be taken for left over. */
  get inHand(): ReadonlySet<BlobHash> {
    return this.#inHand;
  }

  get addsUnderWay(): number {
    return this.#adding.size;
  }

  /** Before anything is uploaded: names and sizes. @throws BAD_REQUEST, MODEL_REFUSED, TOO_LARGE, NO_QUORUM */
  async check(request: ModelCheckRequest): Promise<ModelCheckAnswer> {
    const missing = this.#parts.noQuorum();
    if (missing) throw missing;
    trialsOf(this.#world);
    const answer = await checkRoom(this.#world, this.#parts.room, nameOf(request), request.files);
    const large = request.files.find(({ bytes }) => bytes > LIMITS.blobBytesMax);
    if (!large) return answer;
    const limit = `${LIMITS.blobBytesMax} bytes a file; keep the weights in several`;
    throw new SkeinError("TOO_LARGE", { what: large.path, actual: large.bytes, limit });
  }

  /** @throws MODEL_REFUSED, MODEL_EXISTS, BAD_REQUEST, TOO_LARGE, BLOB_MISSING, COPIES_SHORT, DISK_FULL, NO_QUORUM, PEER_BUSY */
  async add(request: ModelAddRequest): Promise<ModelAddView> {
    const key = canonicalJson(request);
    const adding = this.#adding.get(key) ?? this.#begin(key, request);
    const ended = await within(this.#world.clock, TIMING.modelAddWaitMs, adding.ended);
    if (!ended) return { step: adding.step };
    if (this.#adding.get(key) === adding) this.#adding.delete(key);
    if (ended instanceof SkeinError) throw ended;
    return ended;
  }

  #begin(key: string, request: ModelAddRequest): Adding {
    const { clock, network } = this.#world;
    if (this.#adding.size >= LIMITS.modelAddsMax)
      throw new SkeinError("PEER_BUSY", {
        peer: network.self,
        reason: `${this.#adding.size} models are being added here`,
      });
    const adding: Adding = { step: "waiting", ended: Promise.resolve({ step: "waiting" }) };
    const run = (): Promise<ModelAddView | SkeinError> => this.#run(request, adding);
    adding.ended = this.#last.then(run);
    this.#last = adding.ended;
    this.#adding.set(key, adding);
    const forget = (): void => {
      if (this.#adding.get(key) === adding) this.#adding.delete(key);
    };
    void adding.ended.then(() => clock.after(KEPT_MS, forget));
    return adding;
  }

  async #run(request: ModelAddRequest, adding: Adding): Promise<ModelAddView | SkeinError> {
    try {
      return await this.#add(request, (step) => {
        adding.step = step;
      });
    } catch (error) {
      const refusal = SkeinError.from(error);
      if (refusal.code === "INTERNAL")
        this.#world.telemetry.log("error", "modelAddFailed", { reason: String((error as Error).stack) });
      this.#parts.events.emit("modelNotAdded", { name: request.name, reason: refusal.message }, "warn");
      return refusal;
    }
  }

  async #add(request: ModelAddRequest, at: (step: ModelAddStep) => void): Promise<ModelAddView> {
    at("reading");
    const missing = this.#parts.noQuorum();
    if (missing) throw missing;
    const name = nameOf(request);
    const blobs = request.files.map(({ path, blob, bytes }) => ({ name: path, blob, bytes }));
    await checkBlobs(this.#world, blobs);
    const { files, graphs } = await readFiles(this.#world, name, request.files);
    const digest = this.#world.sha256(modelStatement({ files }));
    const known = await this.#known(name, request.version, digest);
    if (known) return known;
    const { memoryHereBytes } = await checkRoom(this.#world, this.#parts.room, name, files);
    const examined = await this.#examined({ name, digest, files, graphs, memoryHereBytes }, at);
    at("copying");
    const copies = fleetSettings(this.#parts.ledger.settings).copies;
    const holders = await makeDurable(this.#world, this.#parts, blobs, copies);
    at("agreeing");
    const model = { name, files: await withPieces(this.#world, files), ...examined };
    return this.#agree(model, request.version, digest, { holders, copies });
  }

  async #examined(
    model: { name: string; digest: BlobHash; files: ModelFile[]; graphs: ModelFile[]; memoryHereBytes: number },
    at: (step: ModelAddStep) => void,
  ) {
    const { name, digest, files, graphs, memoryHereBytes } = model;
    const { models } = this.#world;
    const trials = trialsOf(this.#world);
    const wasHere = (await models.folderOf(digest)) !== undefined;
    this.#inHand.add(digest);
    try {
      at("placing");
      const folder = await placeFiles(this.#world, digest, files);
      at("examining");
      return await examine(trials, name, folder, graphs, memoryHereBytes);
    } catch (error) {
      if (!wasHere) await models.remove(digest);
      throw error;
    } finally {
      this.#inHand.delete(digest);
    }
  }

  /** If the fleet has it: under the version that was asked for, or under any. @throws MODEL_EXISTS */
  async #known(name: string, version: number | undefined, digest: BlobHash): Promise<ModelAddView | undefined> {
    const versions = await this.#versionsOf(name);
    const same = versions.find((one) => one.digest === digest && (version === undefined || one.version === version));
    if (same) return { step: "added", model: same.model, existing: true };
    const taken = versions.find((one) => one.version === version);
    if (taken) throw new SkeinError("MODEL_EXISTS", { model: taken.model });
    return undefined;
  }

  async #versionsOf(name: string): Promise<ModelView[]> {
    const models = await this.#parts.deputy.call("models");
    return models.filter((model) => model.name === name);
  }

  async #agree(
    model: Omit<ModelManifest, "version">,
    asked: number | undefined,
    digest: BlobHash,
    placed: { holders: NodeId[]; copies: number },
  ): Promise<ModelAddView> {
    for (let tries = 1; ; tries++) {
      const known = await this.#known(model.name, asked, digest);
      if (known) return known;
      const taken = (await this.#versionsOf(model.name)).map(({ version }) => version);
      const manifest = checkManifest({ ...model, version: asked ?? Math.max(0, ...taken) + 1 });
      checkManifestBytes(manifest);
      try {
        const [addedBy, addedAtMs] = [this.#world.network.self, this.#world.clock.nowMs()];
        await this.#parts.proposer.propose({ kind: "modelAdded", manifest, ...placed, addedBy, addedAtMs });
        return { step: "added", model: modelReference(manifest), existing: false };
      } catch (error) {
        const isTaken = SkeinError.from(error).code === "MODEL_EXISTS" && asked === undefined;
        if (!isTaken || tries === VERSION_TRIES) throw error;
      }
    }
  }
}

/** As it was said, or after the graph. @throws BAD_REQUEST */
function nameOf({ name, files }: { name?: string; files: readonly UnsortedFile[] }): string {
  return checkModelName(name ?? modelNameFrom(graphsOf(files).graph));
}

function checkManifestBytes(manifest: ModelManifest): void {
  const { length } = new TextEncoder().encode(JSON.stringify(manifest));
  if (length <= LIMITS.manifestBytesMax) return;
  const limit = `${LIMITS.manifestBytesMax} bytes`;
  throw new SkeinError("TOO_LARGE", {
    what: "What is to be agreed on of this model",
    actual: `${length} bytes`,
    limit,
  });
}
