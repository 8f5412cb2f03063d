import { createHash } from "node:crypto";
import type { Signer } from "../../agent/ports/index.ts";
import type { NodeId } from "../../shared/ids.ts";

/** As long as a real one, made of the node's name and the statement: no secret, but nobody's but that node's. */
function signatureOf(node: NodeId, statement: Uint8Array): Buffer {
  return createHash("sha512").update(node).update(statement).digest();
}

export const pretendSigner = (self: NodeId): Signer => ({
  sign: (statement) => signatureOf(self, statement),
  verify: async (node, statement, signature) => signatureOf(node, statement).equals(signature),
});
