/**
 * The fleet as this node reaches it: libp2p over TCP, noise with the fleet's secret in its prologue, yamux. One connection
 * for each pair of nodes and on it two lanes of frames, one for consensus and one for requests and heartbeats; blobs have
 * streams of their own beside them; capacity reports go by gossipsub. Peers are found at the addresses the roster, the last
 * meeting and a beacon on every interface give, and looked for without end. Joiners, who hold no secret yet, knock at a
 * door that is a listener of its own. This room says who is linked; what follows from it is decided elsewhere.
 */
export { type KnockInit, knock } from "./door.ts";
export { createIdentity, nodeIdOf } from "./identity.ts";
export { createPeerNetwork, type PeerNetworkInit } from "./network.ts";
export { createSigner, createVerifier } from "./signer.ts";
