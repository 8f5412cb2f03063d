import type { NodeId } from "../../shared/ids.ts";

/** This node's word, and how others' is checked: Ed25519 (RFC 8032) under the key that a node id is made of. */
export interface Signer {
  /** 64 bytes. */
  sign(statement: Uint8Array): Uint8Array;
  /** False for whatever `node` did not sign; never rejects. Computed off the calling thread, which carries Raft: many may be asked at once. */
  verify(node: NodeId, statement: Uint8Array, signature: Uint8Array): Promise<boolean>;
}
