import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { publicKeyToProtobuf } from "@libp2p/crypto/keys";
import { peerIdFromString } from "@libp2p/peer-id";
import type { NodeId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Signer } from "../../ports/index.ts";
import { privateKeyOf } from "./identity.ts";

/** What stands before a raw Ed25519 key in PKCS #8 and in SubjectPublicKeyInfo (RFC 8410, section 10). */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_HEAD = Buffer.from("302a300506032b6570032100", "hex");
const KEY_BYTES = 32;
/** libp2p's protobuf of an Ed25519 public key: two fields of one byte each, then the key. */
const PROTOBUF_HEAD_BYTES = 4;

/** Signs with this box's key. Node's own keys, made once: with libp2p's a signature costs several times as much. */
export function createSigner(nodeKey: Uint8Array): Signer {
  const seed = privateKeyOf(nodeKey).raw.subarray(0, KEY_BYTES);
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: "der", type: "pkcs8" });
  return { sign: (statement) => sign(null, statement, key), verify: createVerifier() };
}

/** Checks what any node signed; needs no key of its own, for the node's id is one. */
export function createVerifier(): Signer["verify"] {
  const known = new Map<NodeId, KeyObject | undefined>();
  const publicKeyOf = (node: NodeId): KeyObject | undefined => {
    if (known.has(node)) return known.get(node);
    const made = publicKeyIn(node);
    // Boxes come and go; whoever signs now is asked about again and again.
    if (known.size >= LIMITS.nodesMax) known.clear();
    known.set(node, made);
    return made;
  };
  return (node, statement, signature) => {
    const publicKey = publicKeyOf(node);
    if (!publicKey) return Promise.resolve(false);
    return new Promise((resolve) =>
      verify(null, statement, publicKey, signature, (error, isValid) => resolve(error === null && isValid)),
    );
  };
}

/** Undefined for an id that no key makes: right in length and letters is not yet right in its digits. */
function publicKeyIn(node: NodeId): KeyObject | undefined {
  try {
    const { publicKey } = peerIdFromString(node);
    if (!publicKey) return undefined;
    const raw = publicKeyToProtobuf(publicKey).subarray(PROTOBUF_HEAD_BYTES);
    return createPublicKey({ key: Buffer.concat([SPKI_HEAD, raw]), format: "der", type: "spki" });
  } catch {
    return undefined;
  }
}
