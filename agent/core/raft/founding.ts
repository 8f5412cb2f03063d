import type { NodeId } from "../../../shared/ids.ts";
import type { HardState, RaftEntry } from "../../../shared/raft.ts";
import { encodeConfState } from "../../../shared/wire/raft.ts";
import { EMPTY_CONF } from "./confchange.ts";

/** The first log of a fleet: its founder alone is the first voter. Journalled with {@link FOUNDING_HARD_STATE} by `init`. */
export function foundingEntries(self: NodeId): RaftEntry[] {
  return [{ index: 1, term: 1, kind: "configuration", data: encodeConfState({ ...EMPTY_CONF, voters: [self] }) }];
}

/** Goes with the founding entries: they were committed, in term 1, by the only voter there was. */
export const FOUNDING_HARD_STATE: Readonly<HardState> = { term: 1, vote: "", commit: 1 };
