/**
 * Raft's disk: votes, entries and snapshots in an embedded LevelDB. "Durable" is said only after fsync; the fsync runs on
 * a thread of its own, so that heartbeats keep flowing, and everything handed over meanwhile goes into the next one.
 * LevelDB cuts off a last write that a power cut tore; whatever else is missing or changed is found when the journal is
 * opened and read, because a node that forgot a vote or an entry must not vote again.
 */
export { type JournalDeps, openJournal } from "./journal.ts";
