import {
  type GossipSub,
  type GossipSubComponents,
  gossipsub,
  type Message,
  TopicValidatorResult,
} from "@chainsafe/libp2p-gossipsub";
import type { Connection, PeerId } from "@libp2p/interface";
import { SkeinError } from "../../../shared/errors.ts";
import type { FleetId, NodeId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Telemetry } from "../../ports/index.ts";

export const topicOf = (fleetId: FleetId): string => `/skein/gossip/1/${fleetId}`;

/** A connection this young may still be introducing itself (identify), after which gossip opens its stream. */
const SETTLE_MS = 1_000;

/** Small meshes, because fleets are small and `floodPublish` already sends our own words straight to everyone. */
export const gossipService = (topic: string): ((components: GossipSubComponents) => GossipSub) =>
  gossipsub({
    // A node alone may speak too; nobody hears it.
    allowPublishToZeroTopicPeers: true,
    emitSelf: false,
    fallbackToFloodsub: false,
    floodPublish: true,
    D: 4,
    Dlo: 3,
    Dhi: 6,
    Dout: 1,
    Dscore: 2,
    Dlazy: 3,
    heartbeatInterval: 1_000,
    seenTTL: 60_000,
    // Unset, the queue to a slow peer has no bound.
    maxOutboundBufferSize: 4 << 20,
    maxInboundDataLength: 4 * LIMITS.gossipBytesMax,
    allowedTopics: [topic],
    // Without it every copy of a message has its signature checked before it is known to be a copy.
    fastMsgIdFn: ({ from, seqno }) =>
      Buffer.from(from ?? []).toString("base64") + Buffer.from(seqno ?? []).toString("base64"),
    // More than ten peers behind one address (agents on one box, a NAT) would silently lose everything.
    scoreParams: { IPColocationFactorWeight: 0 },
  }) as (components: GossipSubComponents) => GossipSub;

/** Part of gossipsub's class but not of the interface it publishes; nothing else tells a dead outbound stream from a live one. */
interface OutboundStreams {
  readonly streamsOutbound: ReadonlyMap<string, unknown>;
}

export interface GossipInit {
  pubsub: GossipSub;
  topic: string;
  isAdmitted(peer: string): peer is NodeId;
  onHeard(from: NodeId, message: Uint8Array): void;
  identify(connection: Connection): Promise<unknown>;
  telemetry: Telemetry;
}

/** One topic, to which every node listens and on which only members are heard. */
export class Gossip {
  readonly #init: GossipInit;
  readonly #mending = new Set<string>();

  constructor(init: GossipInit) {
    this.#init = init;
    const { pubsub, topic } = init;
    pubsub.topicValidators.set(topic, (peer, message) => this.#judge(peer, message));
    pubsub.addEventListener("message", ({ detail }) => this.#heard(detail));
  }

  /** After libp2p has started. */
  start(): void {
    this.#init.pubsub.subscribe(this.#init.topic);
  }

  /** @throws TOO_LARGE */
  publish(message: Uint8Array): void {
    if (message.byteLength > LIMITS.gossipBytesMax)
      throw new SkeinError("TOO_LARGE", {
        what: "A gossip message",
        actual: message.byteLength,
        limit: LIMITS.gossipBytesMax,
      });
    this.#init.pubsub.publish(this.#init.topic, message).catch((error: unknown) => {
      this.#init.telemetry.log("warn", "gossipNotSent", { reason: String(error) });
    });
  }

  /**
   * Gossipsub opens its stream to a peer once and never again while any connection to it lives, so a stream that was reset,
   * or that went with the older of two connections, is gone without a word. Identifying the peer anew makes it look again.
   */
  mend(connections: readonly Connection[]): void {
    const { streamsOutbound } = this.#init.pubsub as GossipSub & OutboundStreams;
    for (const connection of connections) {
      const peer = connection.remotePeer.toString();
      if (streamsOutbound.has(peer) || this.#mending.has(peer)) continue;
      if (connection.status !== "open" || Date.now() - connection.timeline.open < SETTLE_MS) continue;
      this.#mending.add(peer);
      this.#init.telemetry.log("info", "gossipStreamReopened", { peer });
      this.#init
        .identify(connection)
        .catch((error: unknown) =>
          this.#init.telemetry.log("debug", "gossipNotMended", { peer, reason: String(error) }),
        )
        .finally(() => this.#mending.delete(peer));
    }
  }

  /** Before a message is passed on. `Ignore` rather than `Reject` for strangers' words: rosters change at different moments. */
  #judge(_carrier: PeerId, message: Message): TopicValidatorResult {
    if (message.type !== "signed" || message.data.byteLength > LIMITS.gossipBytesMax)
      return TopicValidatorResult.Reject;
    return this.#init.isAdmitted(message.from.toString()) ? TopicValidatorResult.Accept : TopicValidatorResult.Ignore;
  }

  #heard(message: Message): void {
    if (message.topic !== this.#init.topic || message.type !== "signed") return;
    const from = message.from.toString();
    if (!this.#init.isAdmitted(from)) return;
    try {
      this.#init.onHeard(from, message.data);
    } catch (error) {
      if (!(error instanceof SkeinError)) throw error;
      this.#init.telemetry.log("warn", "gossipRefused", { ...error.facts, peer: from, code: error.code });
    }
  }
}
