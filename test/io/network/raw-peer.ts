/** A peer that speaks libp2p but not our rules: for what a broken or hostile box might send. */
import type { Connection, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { framed } from "../../../agent/io/network/framing.ts";
import { createIdentity, fleetKey, nodeIdOf, privateKeyOf } from "../../../agent/io/network/identity.ts";
import { Impairments } from "../../../agent/io/network/impairment.ts";
import { PROTOCOLS } from "../../../agent/io/network/link.ts";
import { createFleetNode, type FleetNode } from "../../../agent/io/network/node.ts";
import { WIRE } from "../../../agent/io/network/wire.ts";
import type { PeerNetwork } from "../../../agent/ports/index.ts";
import type { NodeId } from "../../../shared/ids.ts";

export class RawPeer {
  readonly nodeId: NodeId;
  readonly node: FleetNode;

  private constructor(nodeId: NodeId, node: FleetNode) {
    this.nodeId = nodeId;
    this.node = node;
  }

  static async start(fleetSecret: string, key?: Uint8Array, topic = "raw"): Promise<RawPeer> {
    const nodeKey = key ?? (await createIdentity()).key;
    const node = await createFleetNode({
      privateKey: privateKeyOf(nodeKey),
      listen: ["/ip4/127.0.0.1/tcp/0"],
      prologue: fleetKey(fleetSecret, "noise-prologue"),
      topic,
      impairments: new Impairments(),
      isAdmitted: () => true,
      onStranger: () => {},
      onWrongFleet: () => {},
    });
    await node.start();
    node.services.pubsub.subscribe(topic);
    return new RawPeer(nodeIdOf(nodeKey), node);
  }

  async dial(target: PeerNetwork): Promise<Connection> {
    return await this.node.dial(multiaddr(`${target.addresses()[0]}/p2p/${target.self}`), { force: true });
  }

  /** Both lanes, hello said: to the target the link is up. */
  async link(connection: Connection): Promise<Record<keyof typeof PROTOCOLS, Stream>> {
    const consensus = await connection.newStream(PROTOCOLS.consensus);
    const request = await connection.newStream(PROTOCOLS.request);
    request.send(framed(WIRE.frame.encode({ hello: { name: "raw", addresses: [] } })));
    return { consensus, request };
  }

  async stop(): Promise<void> {
    await this.node.stop();
  }
}
