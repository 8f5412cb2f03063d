import type { JobSpec } from "../../../shared/job.ts";
import type { SubmitAnswer } from "../../../shared/routes.ts";
import type { AgentInit } from "../agent-init.ts";
import type { Surroundings } from "../surroundings.ts";
import { type BoxParts, boxParts } from "./box.ts";
import { type ConsensusParts, consensusParts } from "./consensus.ts";
import { type Ground, ground } from "./ground.ts";
import { type ModelParts, modelParts } from "./models.ts";
import { type MovingParts, movingParts } from "./moving.ts";
import { type OperationParts, operationParts } from "./operation.ts";
import { type UpkeepParts, upkeepParts } from "./upkeep.ts";
import { type WorkParts, workParts } from "./work.ts";

/** All that an agent is made of, each part under its name; the file of a group says what it is built from. */
export type Parts = Ground &
  ConsensusParts &
  BoxParts &
  WorkParts &
  UpkeepParts &
  OperationParts &
  ModelParts &
  MovingParts;

/** What parts ask of the agent itself. */
export interface OwnMatters {
  /** Resolves when the snapshot of an earlier life is in the ledger. */
  loaded: Promise<void>;
  submit: (spec: JobSpec) => Promise<SubmitAnswer>;
}

/**
 * Each group is built from those before it. What it asks of one that comes after, it asks `later`: to be called in answer to
 * something that happens, never while an agent is being built.
 */
export function partsOf(surroundings: Surroundings, init: AgentInit, own: OwnMatters): Parts {
  const later = (): Parts => parts;
  const base = ground(surroundings);
  const agreeing = { ...base, ...consensusParts(base, init, later) };
  const telling = { ...agreeing, ...boxParts(agreeing, init, later) };
  const working = { ...telling, ...workParts(telling, init) };
  const keeping = { ...working, ...upkeepParts(working, init, later) };
  const operating = { ...keeping, ...operationParts(keeping, init, own) };
  const serving = { ...operating, ...modelParts(operating, init) };
  const parts: Parts = { ...serving, ...movingParts(serving, init) };
  return parts;
}
