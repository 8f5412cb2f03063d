/** How the checkers see what happens inside a box the moment it happens: the real objects, with an ear at one door each. */
import type { Ledger, LedgerOutcome } from "../../../agent/core/ledger/index.ts";
import type { PeerNetwork } from "../../../agent/ports/index.ts";
import { PEER_WIRE } from "../../../shared/wire/peer.ts";

/** `onOutcome` follows each entry that was applied, before the agent acts on it; `onRestored` each snapshot. */
export function watchLedger(
  ledger: Ledger,
  ears: { onOutcome: (outcome: LedgerOutcome) => void; onRestored: () => void },
): void {
  const apply = ledger.apply.bind(ledger);
  ledger.apply = (entry, index) => {
    const outcome = apply(entry, index);
    ears.onOutcome(outcome);
    return outcome;
  };
  const restore = ledger.restore.bind(ledger);
  ledger.restore = (contents) => {
    restore(contents);
    ears.onRestored();
  };
}

/**
 * Which terms a box's worker hears of from leaders, and which leases it takes. `known` is the highest term it knew when the
 * lease came.
 */
export function watchLeases(
  network: PeerNetwork,
  ears: { knownTerm: () => number; onTaken: (lease: { shardId: string; term: number; known: number }) => void },
): void {
  let heard = 0;
  const onRequest = network.onRequest.bind(network);
  network.onRequest = (method, answer) => {
    if (method !== "lease" && method !== "holding" && method !== "takeBack") return onRequest(method, answer);
    onRequest(method, async (from, body) => {
      const question = PEER_WIRE[method].question.decode(body);
      const shardId = method === "lease" ? PEER_WIRE.lease.question.decode(body).shardId : undefined;
      const known = Math.max(heard, ears.knownTerm());
      heard = Math.max(heard, question.term);
      const reply = await answer(from, body);
      if (shardId !== undefined && PEER_WIRE.lease.answer.decode(reply).accepted)
        ears.onTaken({ shardId, term: question.term, known });
      return reply;
    });
  };
}
