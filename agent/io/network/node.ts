import type { GossipSub } from "@chainsafe/libp2p-gossipsub";
import { type Identify, identify } from "@libp2p/identify";
import { type ConnectionEncrypter, type PrivateKey, serviceCapabilities } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p, type Libp2p, type Libp2pOptions } from "libp2p";
import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import { gossipService } from "./gossip.ts";
import type { Impairments } from "./impairment.ts";
import { waitForLengths, writeTogether } from "./insides.ts";

/**
 * Decides how long a small frame waits behind a bulk transfer on the same connection: at libp2p's own 16 MiB the frame
 * takes 17 ms and more on loopback, at 256 KiB under 1 ms, for a fifth less throughput. It also bounds what arrives after
 * a reader pauses. (The initial window must stay at its default: both sides assume it.)
 */
const WINDOW_BYTES_MAX = 256 * 1024;

export type FleetNode = Libp2p<{ identify: Identify; pubsub: GossipSub }>;

export interface FleetNodeInit {
  privateKey: PrivateKey;
  listen: string[];
  prologue: Uint8Array;
  topic: string;
  impairments: Impairments;
  isAdmitted(peer: string): boolean;
  onStranger(peer: string, address: string): void;
  onWrongFleet(address: string): void;
}

/** The fleet's own network: only holders of the secret, only those on the roster. Not started yet. */
export async function createFleetNode(init: FleetNodeInit): Promise<FleetNode> {
  const isRefused = (peer: string, address: string): boolean => {
    if (init.isAdmitted(peer)) return false;
    init.onStranger(peer, address);
    return true;
  };
  return (await createLibp2p({
    ...common(init.privateKey, init.listen),
    connectionEncrypters: [fleetNoise(init)],
    connectionGater: {
      denyDialPeer: (peer) => !init.isAdmitted(peer.toString()),
      denyInboundEncryptedConnection: (peer, { remoteAddr }) => isRefused(peer.toString(), remoteAddr.toString()),
      denyOutboundEncryptedConnection: (peer, { remoteAddr }) => isRefused(peer.toString(), remoteAddr.toString()),
    },
    services: { identify: identify(), pubsub: gossipService(init.topic) },
  } as Libp2pOptions<{ identify: Identify; pubsub: GossipSub }>)) as FleetNode;
}

/** For the door, and for those who knock: no secret is shared yet, so only the peer id is proved. Not started yet. */
export const createDoorNode = (privateKey: PrivateKey, listen: string[]): Promise<Libp2p> =>
  createLibp2p({ ...common(privateKey, listen), connectionEncrypters: [noise()] });

/** @throws PORT_TAKEN */
export async function startListening(node: Libp2p, port: number): Promise<void> {
  try {
    await node.start();
  } catch (error) {
    if (port !== 0 && node.getMultiaddrs().length === 0)
      throw new SkeinError("PORT_TAKEN", { port, option: "--port" }, { cause: error });
    throw error;
  }
}

export const listenAddresses = (hosts: readonly string[], port: number): string[] =>
  hosts.map((host) => `/${host.includes(":") ? "ip6" : "ip4"}/${host}/tcp/${port}`);

function common(privateKey: PrivateKey, listen: string[]): Libp2pOptions {
  return {
    privateKey,
    start: false,
    addresses: { listen },
    transports: [
      // Liveness is the heartbeats' business, here and in yamux: an idle socket lives.
      tcp({ inboundSocketInactivityTimeout: 0, outboundSocketInactivityTimeout: 0 }),
    ],
    streamMuxers: [yamux({ enableKeepAlive: false, streamOptions: { maxStreamWindowSize: WINDOW_BYTES_MAX } })],
    // Its pings would hang up on healthy peers whenever either side is busy.
    connectionMonitor: { enabled: false },
    connectionManager: {
      // Two for each member for a moment, and some for strangers on their way out.
      maxConnections: 4 * LIMITS.nodesMax,
      // Counted for each host, and a test fleet is one host.
      inboundConnectionThreshold: 50,
      maxIncomingPendingConnections: 50,
      dialTimeout: LIMITS.addressesPerNodeMax * TIMING.dialAddressMs,
      addressDialTimeout: TIMING.dialAddressMs,
      // The address book puts the likeliest first.
      addressSorter: () => 0,
      // The dialler of this room never gives up; libp2p's would.
      reconnectRetries: 0,
    },
  };
}

/** Noise whose prologue carries the fleet's key: with another key, or none, the first encrypted message does not open. */
function fleetNoise({
  prologue,
  onWrongFleet,
  impairments,
}: FleetNodeInit): NonNullable<Libp2pOptions["connectionEncrypters"]>[0] {
  const create = noise({ prologueBytes: prologue });
  return (components) => {
    const inner: ConnectionEncrypter = create(components);
    return {
      protocol: inner.protocol,
      [Symbol.toStringTag]: "@skein/fleet-noise",
      [serviceCapabilities]: ["@libp2p/connection-encryption"],
      async secureOutbound(connection, options) {
        impairments.take(connection);
        writeTogether(connection);
        try {
          const secured = await inner.secureOutbound(connection, options);
          waitForLengths(secured.connection);
          return secured;
        } catch (error) {
          if (error instanceof Error && /stage 1 validation/.test(error.message)) onWrongFleet(addressOf(connection));
          throw error;
        }
      },
      async secureInbound(connection, options) {
        // The one who dials finds the mismatch, and hangs up; all that is seen here is that it does so after our first
        // message, which it cannot open.
        let heard = false;
        impairments.take(connection);
        writeTogether(connection);
        const secured = inner.secureInbound(connection, options);
        const listen = () => {
          heard = true;
        };
        connection.addEventListener("message", listen);
        try {
          waitForLengths((await secured).connection);
          return await secured;
        } catch (error) {
          if (heard) onWrongFleet(addressOf(connection));
          throw error;
        } finally {
          connection.removeEventListener("message", listen);
        }
      },
    } as ConnectionEncrypter;
  };
}

const addressOf = (connection: unknown): string =>
  String((connection as { remoteAddr?: unknown }).remoteAddr ?? "an unknown address");
