import type { NodeId } from "../../shared/ids.ts";
import { FOUNDING_HARD_STATE, foundingEntries } from "../core/raft/index.ts";
import type { JournalContents } from "../ports/index.ts";

/** What a founder's journal holds before the agent first runs. */
export const foundingContents = (founder: NodeId): JournalContents => ({
  hardState: FOUNDING_HARD_STATE,
  entries: foundingEntries(founder),
});
