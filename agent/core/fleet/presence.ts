import type { LinkView, Presence } from "../../../shared/fleet.ts";
import { TIMING } from "../../../shared/limits.ts";

/** What presence is judged by. All times are this node's monotonic clock. */
export interface Evidence {
  isSelf: boolean;
  /** When the newest report arrived; absent until one did. */
  reportAtMs?: number;
  link?: LinkView;
  /** When the link took its present state, or when the node came on the roster without one. */
  linkSinceMs: number;
}

export interface Judgement {
  presence: Presence;
  /** The end of a sentence about the node. */
  because: string;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/**
 * fresh: its link is up and its last report is not older than its rhythm allows. late: one of the two fails; it gets no
 * new work, and keeps what it has. gone: the same for so long that its work should be done elsewhere.
 *
 * A link that is down makes a node late at once: reports may still come by way of others, but no work could go there. It
 * is gone `linkGoneMs` later, not at once, so that a redial after a short cut costs nothing.
 */
export function judge(evidence: Evidence, nowMs: number): Judgement {
  if (evidence.isSelf) return { presence: "fresh", because: "it is this node" };
  const { link, reportAtMs, linkSinceMs } = evidence;
  if (reportAtMs === undefined) return { presence: "gone", because: "nothing was heard of it yet" };
  const silentMs = nowMs - reportAtMs;
  if (silentMs > TIMING.capacityGoneMs) return { presence: "gone", because: `no report for ${seconds(silentMs)}` };
  if (link?.state !== "up" && link?.state !== "suspect") {
    const cut = link ? "its link is down" : "there is no link to it yet";
    const cutMs = nowMs - linkSinceMs;
    if (cutMs > TIMING.linkGoneMs) return { presence: "gone", because: `${cut}, for ${seconds(cutMs)} now` };
    return { presence: "late", because: cut };
  }
  if (silentMs > TIMING.capacityLateMs) return { presence: "late", because: `no report for ${seconds(silentMs)}` };
  if (link.state === "suspect") return { presence: "late", because: "its link is silent" };
  return { presence: "fresh", because: "its link is up and its reports arrive" };
}
