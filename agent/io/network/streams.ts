import type { NodeId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { BLOB_PROTOCOL, type Bulk } from "./bulk.ts";
import { PROTOCOLS } from "./link.ts";
import type { Links } from "./links.ts";
import type { FleetNode } from "./node.ts";

/** Hands what peers open to the part it is for. The roster is asked again here: the gate was passed when the peer connected. */
export async function takeStreams(
  node: FleetNode,
  links: Links,
  bulk: Bulk,
  isAdmitted: (peer: string) => peer is NodeId,
): Promise<void> {
  node.addEventListener("connection:open", ({ detail }) => links.connectionOpened(detail));
  for (const name of ["consensus", "request"] as const)
    await node.handle(
      PROTOCOLS[name],
      (stream, connection) => links.laneOpened(name, stream, connection),
      // Two, so that a second one is ours to refuse and not libp2p's to reset unseen.
      { maxInboundStreams: 2, maxOutboundStreams: 2 },
    );
  await node.handle(
    BLOB_PROTOCOL,
    async (stream, connection) => {
      const peer = connection.remotePeer.toString();
      if (isAdmitted(peer)) await bulk.serve(stream, connection, peer);
      else stream.abort(new Error("not on the roster"));
    },
    // Twice our own bound, so that it is our refusal that a peer hears.
    {
      // Room to refuse what is too much by name.
      maxInboundStreams: LIMITS.bulkServedPerPeerMax + LIMITS.bulkPerPeerMax,
      maxOutboundStreams: LIMITS.bulkServedPerPeerMax,
    },
  );
}
