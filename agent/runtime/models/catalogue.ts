import { SkeinError } from "../../../shared/errors.ts";
import type { NodeView } from "../../../shared/fleet.ts";
import { type JobId, type NodeId, shortNodeId } from "../../../shared/ids.ts";
import type { ModelAdded } from "../../../shared/ledger-entry.ts";
import {
  isModelReference,
  modelBytes,
  modelReference,
  modelStatement,
  readModelReference,
} from "../../../shared/model.ts";
import type { ModelDetail, ModelOnNode, ModelRemoval, ModelView } from "../../../shared/model-registry.ts";
import { findModel, type Ledger } from "../../core/ledger/index.ts";
import type { Proposer } from "../proposer.ts";
import type { Surroundings } from "../surroundings.ts";

export interface CatalogueParts {
  ledger: Ledger;
  proposer: Proposer;
  nodes: () => NodeView[];
}

/** The fleet's models by this node's ledger, and what people change of them. */
export class Catalogue {
  readonly #world: Surroundings;
  readonly #parts: CatalogueParts;

  constructor(world: Surroundings, parts: CatalogueParts) {
    this.#world = world;
    this.#parts = parts;
  }

  list(): ModelView[] {
    return [...this.#parts.ledger.planning.models.values()].map((model) => this.#viewOf(model));
  }

  /** @throws MODEL_UNKNOWN, BAD_REQUEST */
  show(text: string): ModelDetail {
    const model = this.#find(text);
    return { ...this.#viewOf(model), manifest: model.manifest, jobs: this.#jobsThatWant(model) };
  }

  /**
   * A bare name goes only if it has one version: what it means may have changed since it was read.
   * @throws MODEL_UNKNOWN, BAD_REQUEST, MODEL_WANTED unless forced
   */
  async remove(text: string, force: boolean): Promise<ModelRemoval> {
    const model = this.#find(text);
    const { name, version } = model.manifest;
    const versions = this.list().filter((one) => one.name === name);
    if (!text.includes(":") && versions.length > 1) {
      const all = versions.map((one) => one.model).join(", ");
      throw new SkeinError("BAD_REQUEST", { reason: `${name} has several versions; say which one goes: ${all}` });
    }
    const removed = modelReference(model.manifest);
    const jobs = this.#jobsThatWant(model);
    if (jobs.length > 0 && !force) throw new SkeinError("MODEL_WANTED", { model: removed, jobs });
    for (const jobId of jobs) {
      const cancelledAtMs = this.#world.clock.nowMs();
      const reason = `its model ${removed} was removed`;
      await this.#parts.proposer.propose({ kind: "jobCancelled", jobId, reason, cancelledAtMs });
    }
    await this.#parts.proposer.propose({ kind: "modelRemoved", name, version });
    return { removed, cancelled: jobs };
  }

  /** @throws MODEL_UNKNOWN, TOO_LARGE, OUTCOME_UNKNOWN */
  async alias(name: string, alias: string, version: number): Promise<{ alias: string; version: number }> {
    await this.#parts.proposer.propose({ kind: "modelAliased", name, alias, version });
    return { alias: `${name}:${alias}`, version };
  }

  #find(text: string): ModelAdded {
    const model = findModel(this.#parts.ledger.planning, text);
    if (!model) throw new SkeinError("MODEL_UNKNOWN", { model: text });
    return model;
  }

  #jobsThatWant(model: ModelAdded): JobId[] {
    const { ledger } = this.#parts;
    const wants = (pipeline: string): boolean =>
      isModelReference(pipeline) && findModel(ledger.planning, pipeline) === model;
    return ledger.openJobs().flatMap(({ jobId, pipeline }) => (wants(pipeline) ? [jobId] : []));
  }

  #viewOf({ manifest, holders, copies, addedBy, addedAtMs }: ModelAdded): ModelView {
    const { ledger, nodes } = this.#parts;
    const { name, version, files, inputs, outputs, batches } = manifest;
    const model = modelReference(manifest);
    const aliases = [...ledger.planning.aliases].filter(
      ([key, to]) => to === version && readModelReference(key).name === name,
    );
    const held = files.map(({ blob }) => new Set(ledger.holdersOf(blob)));
    const everyone = new Set([...holders, ...held.flatMap((set) => [...set])]);
    return {
      ...{ model, name, version, bytes: modelBytes(manifest), files: files.length, inputs, outputs, batches },
      digest: this.#world.sha256(modelStatement(manifest)),
      aliases: aliases.map(([key]) => readModelReference(key).tag!),
      addedBy: this.#nameOf(addedBy),
      addedAtMs,
      holders: [...everyone].filter((nodeId) => held.every((set) => set.has(nodeId))).map((id) => this.#nameOf(id)),
      copies,
      nodes: nodes().flatMap((node) => this.#onNode(model, node) ?? []),
    };
  }

  #onNode(model: string, { nodeId, name, report }: NodeView): ModelOnNode | undefined {
    const placement = this.#parts.ledger.planning.placements.at(-1)?.replicas;
    const placed = placement?.find(({ pipeline }) => pipeline === model)?.nodes.includes(nodeId) ?? false;
    const state = report?.models?.find(({ pipeline }) => pipeline === model);
    const rate = report?.rates.find(({ pipeline }) => pipeline === model);
    const profile = report?.profiles?.find(({ pipeline }) => pipeline === model);
    if (!placed && !state && !rate && !profile) return undefined;
    return {
      ...{ nodeId, name, placed },
      ...(state && { state: state.state, bytesHere: state.bytesHere }),
      ...(state?.reason !== undefined && { reason: state.reason }),
      ...(rate && { itemsPerSecond: rate.itemsPerSecond }),
      ...(profile && { profile }),
    };
  }

  #nameOf(nodeId: NodeId): string {
    return this.#parts.nodes().find((node) => node.nodeId === nodeId)?.name ?? shortNodeId(nodeId);
  }
}
