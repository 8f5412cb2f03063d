/** What a node should have, as whoever holds the ledger tells it. */
import { checkList, checkRecord, checkText, checkWhole, refuse } from "./checks.ts";
import { isNodeId, type NodeId } from "./ids.ts";
import { LIMITS } from "./limits.ts";
import { checkManifest, type ModelManifest } from "./model.ts";

export interface WantedModel {
  manifest: ModelManifest;
  /** Recorded to hold some of its files; and placed with it, so that they have it or will. */
  holders: NodeId[];
  siblings: NodeId[];
}

export interface WantedModels {
  /** Names what is said here: the same mark, the same answer. */
  mark: string;
  /** Absent if the asker has heard it. */
  told?: { models: WantedModel[]; bytesPerSecondMax: number };
}

/** As it came from a peer. @throws BAD_REQUEST */
export function checkWantedModels(value: unknown): WantedModels {
  const answer = checkRecord(value, "answer");
  const mark = checkText(answer.mark, "mark", LIMITS.nameBytesMax);
  if (answer.told === undefined) return { mark };
  const told = checkRecord(answer.told, "told");
  return {
    mark,
    told: {
      models: checkList(told.models, "models", LIMITS.modelsMax, (one, at) => {
        const model = checkRecord(one, at);
        return {
          manifest: checkManifest(model.manifest),
          holders: checkList(model.holders, `${at}.holders`, LIMITS.nodesMax, checkNode),
          siblings: checkList(model.siblings, `${at}.siblings`, LIMITS.nodesMax, checkNode),
        };
      }),
      bytesPerSecondMax: checkWhole(told.bytesPerSecondMax, "bytesPerSecondMax", 0, 1e12),
    },
  };
}

function checkNode(value: unknown, at: string): NodeId {
  if (!isNodeId(value)) refuse(at, "must be a peer id");
  return value;
}
