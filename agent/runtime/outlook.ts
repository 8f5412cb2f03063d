import { SkeinError } from "../../shared/errors.ts";
import type { NodeView } from "../../shared/fleet.ts";
import type { NodeId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { CopyPlace } from "../core/replication/index.ts";
import type { Standing } from "./standing.ts";
import type { Surroundings } from "./surroundings.ts";
import { hasQuorum, quorumFacts } from "./views.ts";

/** What this node knows of the fleet, as its parts ask for it. */
export class Outlook {
  readonly #world: Surroundings;
  readonly #standing: Standing;
  readonly nodes: () => NodeView[];

  constructor(world: Surroundings, standing: Standing, nodes: () => NodeView[]) {
    this.#world = world;
    this.#standing = standing;
    this.nodes = nodes;
  }

  /** The others that can be spoken with. */
  readonly reachable = (): NodeId[] =>
    this.nodes()
      .filter((node) => !node.isSelf && node.link !== undefined && node.link.state !== "down")
      .map((node) => node.nodeId);

  /**
   * Boxes that hold copies. One that was admitted and never came up is none: nothing waits for it. A voter that is gone
   * is waited for, but not where a witness votes: there the other box shall go on alone, and copies are made good later.
   * A node that came up and has not heard yet who votes waits for any: it is not alone because it knows nobody.
   */
  readonly places = (): CopyPlace[] => {
    const { conf } = this.#standing.status();
    const goesOnAlone = conf.witnesses.length > 0;
    const isUninformed = conf.voters.length === 0;
    const isWaitedFor = ({ role, presence }: NodeView): boolean =>
      role === "voter" && !(goesOnAlone && presence === "gone");
    return this.nodes()
      .filter((node) => node.presence === "fresh" || isUninformed || isWaitedFor(node))
      .filter((node) => node.role !== "witness")
      .map((node) => ({
        nodeId: node.nodeId,
        live: node.isSelf || node.presence === "fresh",
        diskFreeBytes: node.report?.vitals.diskFreeBytes ?? LIMITS.diskFreeBytesMin,
        ...(node.labels?.zone !== undefined && { zone: node.labels.zone }),
        ...(node.drained && { drained: node.drained }),
        ...(node.leaving && { leaving: node.leaving }),
      }));
  };

  /** What some node of the fleet is known to run, this one included. */
  readonly pipelines = (): Set<string> => {
    const own = this.#world.engine.pipelines().map(({ name }) => name);
    const measured = this.nodes().flatMap(({ report }) => report?.rates.map(({ pipeline }) => pipeline) ?? []);
    return new Set([...own, ...measured]);
  };

  /** Why nothing durable can be accepted; undefined if it can. */
  readonly noQuorum = (): SkeinError | undefined => {
    const { network } = this.#world;
    const status = this.#standing.status();
    const links = network.links();
    if (hasQuorum(status, network.self, links)) return undefined;
    return new SkeinError(
      "NO_QUORUM",
      quorumFacts(status, network.self, links, (node) => this.#standing.nameOf(node)),
    );
  };
}
