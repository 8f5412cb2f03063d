import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import { type ModelManifest, modelStatement } from "../../../shared/model.ts";
import { plainChoice, type SessionChoice } from "../../../shared/session-choice.ts";
import type { GraphFile, InputShapes, KnownGraph, ModelToLoad, Trials } from "../../ports/index.ts";
import type { Surroundings } from "../surroundings.ts";
import type { WatchedEngine } from "./watched-engine.ts";

/** What can be measured on this box. */
export interface Subject {
  /** `name:version`, or a graph that comes with the agent: `ocr/det`. */
  name: string;
  digest: BlobHash;
  graph: GraphFile;
  int8?: GraphFile;
  batches: boolean;
  shapes?: InputShapes;
  /** In use now. */
  choice: SessionChoice;
  /** Of a graph that comes with the agent: what is not to be chosen. */
  fixed?: Partial<SessionChoice>;
}

/**
 * Every graph that runs here: those of loaded models, and those that come with the agent. These run one item on every
 * executor, and pages have shapes of their own, of which each would keep a memory pattern.
 */
export class Subjects {
  readonly trials: Trials;
  readonly #world: Surroundings;
  readonly #engine: WatchedEngine;
  /** In use, of graphs that come with the agent. */
  readonly #choices = new Map<string, SessionChoice>();
  #known: KnownGraph[] = [];
  /** A manifest is asked for at every report. */
  readonly #digests = new WeakMap<ModelManifest, BlobHash>();

  constructor(world: Surroundings, engine: WatchedEngine, trials: Trials) {
    this.#world = world;
    this.#engine = engine;
    this.trials = trials;
  }

  async load(): Promise<void> {
    this.#known = await this.trials.known();
  }

  all(): Subject[] {
    return [
      ...this.#known.map((known) => this.#ofKnown(known)),
      ...this.#engine.loaded().map((one) => this.#ofModel(one)),
    ];
  }

  /** A model's name alone means the newest version that is here. @throws MODEL_UNKNOWN */
  find(name: string): Subject {
    const versionOf = (subject: Subject): number => Number(subject.name.slice(name.length + 1));
    const all = this.all();
    const [found] = [
      ...all.filter((subject) => subject.name === name),
      ...all.filter((subject) => subject.name.startsWith(`${name}:`)).sort((a, b) => versionOf(b) - versionOf(a)),
    ];
    if (!found) throw new SkeinError("MODEL_UNKNOWN", { model: name });
    return found;
  }

  digestOf({ manifest }: ModelToLoad): BlobHash {
    const digest = this.#digests.get(manifest) ?? this.#world.sha256(modelStatement(manifest));
    this.#digests.set(manifest, digest);
    return digest;
  }

  /** From now on it is run so. */
  async use({ name }: Subject, choice: SessionChoice): Promise<void> {
    const model = this.#engine.loaded().find(({ pipeline }) => pipeline === name);
    if (model) return this.#engine.load({ ...model, choice });
    this.#choices.set(name, choice);
    this.#engine.tune(name, choice);
  }

  #ofKnown({ name, digest, graph, shapes, batches }: KnownGraph): Subject {
    const { executors } = this.#engine;
    const fixed = { executors, threads: 1, batch: 1, memoryPattern: false, spinning: false };
    const choice = this.#choices.get(name) ?? plainChoice(executors);
    return { name, digest, graph, shapes, batches, choice, fixed };
  }

  #ofModel(model: ModelToLoad): Subject {
    const { pipeline, manifest, folder, choice } = model;
    const fileOf = (use: string): GraphFile[] =>
      manifest.files.filter((file) => file.use === use).map(({ path }) => ({ folder, path }));
    const [int8] = fileOf("int8");
    const { batches } = manifest;
    return {
      name: pipeline,
      digest: this.digestOf(model),
      graph: fileOf("graph")[0]!,
      ...(int8 && { int8 }),
      batches,
      choice,
    };
  }
}
