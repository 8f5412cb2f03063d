import { hkdfSync } from "node:crypto";
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { SkeinError } from "../../../shared/errors.ts";
import { isNodeId, type NodeId } from "../../../shared/ids.ts";

/** A new box: an Ed25519 key as libp2p's protobuf (68 bytes, to be stored with mode 0600) and the node id that follows from it. */
export async function createIdentity(): Promise<{ nodeId: NodeId; key: Uint8Array }> {
  const key = privateKeyToProtobuf(await generateKeyPair("Ed25519"));
  return { nodeId: nodeIdOf(key), key };
}

/** @throws BAD_REQUEST if the bytes are not an Ed25519 key. */
export function nodeIdOf(key: Uint8Array): NodeId {
  const id = peerIdFromPrivateKey(privateKeyOf(key)).toString();
  if (!isNodeId(id)) throw new SkeinError("BAD_REQUEST", { reason: "the node key is not an Ed25519 key" });
  return id;
}

/** @throws BAD_REQUEST if the bytes are not a key. */
export function privateKeyOf(key: Uint8Array): PrivateKey {
  try {
    return privateKeyFromProtobuf(key);
  } catch (error) {
    throw new SkeinError("BAD_REQUEST", { reason: "the node key cannot be read" }, { cause: error });
  }
}

/**
 * A key of its own for each use of the fleet secret (RFC 5869), so that what one use gives away says nothing about another.
 * @throws BAD_REQUEST if the secret is not 32 bytes in hex.
 */
export function fleetKey(fleetSecret: string, use: "noise-prologue" | "beacon"): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(fleetSecret))
    throw new SkeinError("BAD_REQUEST", { reason: "the fleet secret is not 32 bytes in hex" });
  return new Uint8Array(hkdfSync("sha256", Buffer.from(fleetSecret, "hex"), "", `skein/1/${use}`, 32));
}
