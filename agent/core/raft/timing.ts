/**
 * How long silence is borne. A leader says it in every heartbeat and its followers take it over, because who holds on to
 * a leader and who misses it should count alike. Safety never depends on it: while nodes differ, the less patient ask for
 * pre-votes too early and are refused by the others, and the more patient are slow to notice a loss.
 */
import { invariant } from "../../../shared/errors.ts";
import type { RaftState } from "./state.ts";

export interface RaftTiming {
  /** Ticks between a leader's heartbeats. */
  heartbeatTicks: number;
  /** Ticks without a leader before a pre-vote; drawn anew from [T, 2T) each time. */
  electionTicks: number;
}

/** Heartbeats at the old pace before a slower one: whoever misses them all has lost its leader anyway. */
const ANNOUNCEMENTS = 3;

export function setTiming(state: RaftState, { heartbeatTicks, electionTicks }: RaftTiming): void {
  const { electionTicksMin, electionTicksMax } = state;
  invariant(Number.isInteger(heartbeatTicks) && heartbeatTicks > 0, "heartbeats come at whole ticks");
  invariant(Number.isInteger(electionTicks) && electionTicks > heartbeatTicks, "an election outlasts a heartbeat");
  invariant(electionTicks >= electionTicksMin && electionTicks <= electionTicksMax, "patience stays within its bounds");
  takeUp(state, electionTicks);
  state.heartbeatTicksNext = heartbeatTicks;
  // Not slower before the followers know that they must be more patient.
  state.announcementsLeft = state.role === "leader" && heartbeatTicks > state.heartbeatTicks ? ANNOUNCEMENTS : 0;
  if (state.announcementsLeft === 0) state.heartbeatTicks = heartbeatTicks;
}

/** A heartbeat at its own time went out. */
export function announced(state: RaftState): void {
  if (state.announcementsLeft === 0) return;
  state.announcementsLeft -= 1;
  if (state.announcementsLeft === 0) state.heartbeatTicks = state.heartbeatTicksNext;
}

/** What the leader announced, as far as this node's bounds let it. */
export function adoptTiming(state: RaftState, electionTicks: number): void {
  if (electionTicks === 0 || electionTicks === state.electionTicks) return;
  takeUp(state, Math.min(Math.max(electionTicks, state.electionTicksMin), state.electionTicksMax));
}

/**
 * An election that a majority wanted ended undecided: perhaps it was given too little time for the disks and links there
 * are. Only a leader can measure them, so without this a fleet too slow for its first patience would never have one.
 */
export function allowMoreTime(state: RaftState): void {
  takeUp(state, Math.min(Math.ceil(state.electionTicks * 1.5), state.electionTicksMax));
}

function takeUp(state: RaftState, electionTicks: number): void {
  if (electionTicks === state.electionTicks) return;
  state.electionTicks = electionTicks;
  // Should this node lead next, its heartbeats must come often enough for what it learnt.
  state.heartbeatTicks = Math.min(state.heartbeatTicks, Math.max(1, Math.floor(electionTicks / 3)));
  drawTimeout(state);
}

export function drawTimeout(state: RaftState): void {
  state.electionTimeout = state.electionTicks + Math.floor(state.random() * state.electionTicks);
}
