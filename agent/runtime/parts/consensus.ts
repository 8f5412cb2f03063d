import { TIMING } from "../../../shared/limits.ts";
import { OPERATORS } from "../../../shared/pipeline/operators/index.ts";
import { hashToBytes } from "../../../shared/wire/codec.ts";
import { Raft } from "../../core/raft/index.ts";
import type { JournalContents } from "../../ports/index.ts";
import type { AgentInit } from "../agent-init.ts";
import { Outlook } from "../outlook.ts";
import { PipelineCatalogue } from "../pipelines/catalogue.ts";
import { Proposer } from "../proposer.ts";
import { RaftDriver } from "../raft-driver.ts";
import { Reader } from "../reader.ts";
import { Settings } from "../settings.ts";
import { Standing } from "../standing.ts";
import type { Surroundings } from "../surroundings.ts";
import type { Ground } from "./ground.ts";
import type { Parts } from "./parts.ts";

/** How this node agrees with the others, and what it knows of them by that. */
export interface ConsensusParts {
  driver: RaftDriver;
  standing: Standing;
  outlook: Outlook;
  proposer: Proposer;
  reader: Reader;
  settings: Settings;
  pipelines: PipelineCatalogue;
}

/**
 * Appends on their way to one peer. On a LAN a third hides the round trip; more would only be smaller, and each costs
 * every box a system call and an encryption: with 16 of them a write under load took half again as much of the leader's core.
 */
const APPENDS_IN_FLIGHT = 3;

export function consensusParts(known: Ground, init: AgentInit, later: () => Parts): ConsensusParts {
  const { world, events, peers, ledger } = known;
  const driver: RaftDriver = new RaftDriver(raft(world, init.contents), world, {
    onEntry: (entry) => later().snapshots.entry(entry),
    onRead: (read) => reader.answered(read),
    onSnapshotMessage: (message) => later().snapshots.received(message),
    onSnapshot: (snapshot) => later().snapshots.install(snapshot),
    onSnapshotSent: (to, snapshot) => later().snapshots.sent(to, snapshot),
    onStatus: (status) => {
      later().leadership.statusChanged(status);
      later().fleetMoves.tellLeader();
    },
    onPace: (news) => events.emit("paceChanged", { ...news }),
    onFatal: init.onFatal,
  });
  const { part, roster } = init;
  const onChange = (): void => later().fleetMoves.standingChanged();
  const standing = new Standing(world, { part, roster, driver, ledger, peers, onChange });
  const outlook = new Outlook(world, standing, () => later().gossip.nodes());
  const { noQuorum } = outlook;
  const holdsLedger = (): boolean => standing.holdsLedger;
  const proposer = new Proposer(driver, peers, world, { noQuorum, holdsLedger, members: () => standing.members() });
  const reader = new Reader(driver, world, noQuorum);
  const pipelines = new PipelineCatalogue(world, {
    ...{ ledger, holdsLedger },
    operators: init.operators ?? OPERATORS,
    askParts: (reference) => later().deputy.call("pipelineParts", reference),
  });
  const settings = new Settings(ledger, proposer, reader);
  return { driver, standing, outlook, proposer, reader, settings, pipelines };
}

function raft(world: Surroundings, initial: JournalContents): Raft {
  return new Raft({
    id: world.network.self,
    electionTicks: TIMING.electionTicks,
    electionTicksMax: TIMING.electionTicksMax,
    heartbeatTicks: TIMING.heartbeatTicks,
    inflightMessagesMax: APPENDS_IN_FLIGHT,
    random: () => world.randomness.random(),
    digest: (data) => hashToBytes(world.sha256(data)),
    initial,
  });
}
