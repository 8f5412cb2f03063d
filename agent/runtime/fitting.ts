import { SkeinError } from "../../shared/errors.ts";
import { checkDatasetName, type DatasetView } from "../../shared/fitting/dataset.ts";
import type { FitPlaces, FitRoundAnswer, FitRoundRequest } from "../../shared/fitting/wire.ts";
import type { NodeView } from "../../shared/fleet.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import type { Fitting } from "../ports/index.ts";
import type { Peers } from "./peers.ts";
import type { Surroundings } from "./surroundings.ts";

/**
 * Data sets of this box, and rounds of training over those of all boxes. Nothing of a fit is kept here: whoever runs the
 * rounds has the weights, and may ask another agent for the next one when this one is gone.
 */
export class FleetFitting {
  readonly #world: Surroundings;
  readonly #peers: Peers;
  readonly #nodes: () => NodeView[];

  constructor(world: Surroundings, peers: Peers, nodes: () => NodeView[]) {
    this.#world = world;
    this.#peers = peers;
    this.#nodes = nodes;
    peers.answer("fitPlaces", async (_from, { dataset }) => ({ datasets: await this.#own(dataset) }));
    peers.answer("fitRound", async (_from, { request }) => ({ part: await this.#fitting().round(request) }));
  }

  datasets(): Promise<DatasetView[]> {
    return this.#fitting().list();
  }

  putDataset(name: string, chunks: AsyncIterable<Uint8Array>): Promise<DatasetView> {
    return this.#fitting().put(checkDatasetName(name), chunks);
  }

  async removeDataset(name: string): Promise<{ removed: string }> {
    if (!(await this.#fitting().remove(checkDatasetName(name))))
      throw new SkeinError("DATASET_UNKNOWN", { dataset: name });
    return { removed: name };
  }

  async places(dataset: string): Promise<FitPlaces> {
    checkDatasetName(dataset);
    const places: FitPlaces = { dataset, nodes: [], silent: [] };
    const ask = async ({ nodeId, name: node }: NodeView): Promise<void> => {
      const { datasets } = await this.#peers.ask(nodeId, "fitPlaces", { dataset }, DEADLINE);
      places.nodes.push(...datasets.map((view) => ({ ...view, nodeId, node })));
    };
    await this.#everywhere(ask, (node, { message: reason }) => places.silent.push({ node, reason }));
    return places;
  }

  /** Answered once every box has answered or failed: the round goes on with the rows of those that are there. @throws FIT_NOBODY */
  async round(request: FitRoundRequest): Promise<FitRoundAnswer> {
    const answer: FitRoundAnswer = { parts: [], missing: [] };
    const ask = async ({ nodeId, name: node }: NodeView): Promise<void> => {
      const { part } = await this.#peers.ask(nodeId, "fitRound", { request }, DEADLINE);
      answer.parts.push({ ...part, node });
    };
    await this.#everywhere(ask, (node, { code, message: reason }) => {
      if (code !== "DATASET_UNKNOWN") answer.missing.push({ node, reason });
    });
    if (answer.parts.every(({ trained }) => trained.rows === 0))
      throw new SkeinError("FIT_NOBODY", { dataset: request.dataset, missing: answer.missing });
    // Sums of floats depend on their order, which must not be that of the network.
    answer.parts.sort((a, b) => (a.node < b.node ? -1 : 1));
    return answer;
  }

  /** Asks every box that may have rows, all at once; one that fails is told of and holds up nobody. */
  async #everywhere(
    ask: (node: NodeView) => Promise<void>,
    onFailure: (node: string, error: SkeinError) => void,
  ): Promise<void> {
    const asked = this.#nodes().filter(mayHaveRows);
    await Promise.all(
      asked.map((node) => ask(node).catch((error: unknown) => onFailure(node.name, SkeinError.from(error)))),
    );
  }

  async #own(dataset: string): Promise<DatasetView[]> {
    const all = (await this.#world.fitting?.list()) ?? [];
    return all.filter(({ name }) => name === dataset).slice(0, LIMITS.datasetsMax);
  }

  #fitting(): Fitting {
    const { fitting } = this.#world;
    if (!fitting) throw new SkeinError("DATASET_UNKNOWN", { dataset: "any: this box keeps none" });
    return fitting;
  }
}

const DEADLINE = { deadlineMs: TIMING.fitRoundMs };

/** Not one that is known to be gone: a round would wait for its deadline. */
const mayHaveRows = ({ isSelf, presence, link }: NodeView): boolean =>
  isSelf || (presence !== "gone" && link?.state !== "down");
