/** Branded names. A brand stops one kind of text from being passed where another is meant; it costs nothing at run time. */

/** A box for one life of one disk: its libp2p peer id (Ed25519, base58). A wiped box comes back under a new one. */
export type NodeId = string & { readonly __brand: "NodeId" };
/** A fleet, for all time: 16 random bytes, hex. */
export type FleetId = string & { readonly __brand: "FleetId" };
/** One thing a client asked to have done durably, e.g. `job-k3v9x2ma`. */
export type JobId = string & { readonly __brand: "JobId" };
/** One lease's worth of items of a job. Unique among all leaders: it carries the term that cut it, e.g. `job-k3v9x2ma/7.12`. */
export type ShardId = string & { readonly __brand: "ShardId" };
/** SHA-256 of a blob's bytes, 64 lower-case hex digits. */
export type BlobHash = string & { readonly __brand: "BlobHash" };
/** One invitation to join, e.g. `inv-p0d2h6`. */
export type InviteId = string & { readonly __brand: "InviteId" };

/** Of the segment in that place of a job. */
export const stageJobId = (jobId: JobId, segment: number): JobId => `${jobId}/${segment}` as JobId;

export const isBlobHash = (text: unknown): text is BlobHash => typeof text === "string" && /^[0-9a-f]{64}$/.test(text);

/** Base58 as libp2p writes Ed25519 peer ids: `12D3KooW` and 44 more characters. */
export const isNodeId = (text: unknown): text is NodeId =>
  typeof text === "string" && /^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/.test(text);

/** The last characters of a node id: enough to tell boxes apart on a screen. */
export const shortNodeId = (id: NodeId): string => id.slice(-6);
