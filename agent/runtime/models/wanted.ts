import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import { fleetSettings } from "../../../shared/settings.ts";
import type { WantedModel, WantedModels } from "../../../shared/wanted-models.ts";
import type { Ledger } from "../../core/ledger/index.ts";

/** By the placement in force. To a node that has heard just this, `mark`, only that nothing changed. */
export function wantedModels(
  ledger: Ledger,
  node: NodeId,
  mark: string,
  sha256: (bytes: Uint8Array) => BlobHash,
): WantedModels {
  const models = (ledger.planning.placements.at(-1)?.replicas ?? []).flatMap(({ pipeline, nodes }): WantedModel[] => {
    const model = ledger.planning.models.get(pipeline);
    if (!model || !nodes.includes(node)) return [];
    const holders = new Set(model.manifest.files.flatMap(({ blob }) => [...(ledger.holders.get(blob) ?? [])]));
    const others = [...holders].filter((holder) => holder !== node);
    const siblings = nodes.filter((sibling) => sibling !== node && !holders.has(sibling));
    return [{ manifest: model.manifest, holders: others, siblings }];
  });
  const bytesPerSecondMax = fleetSettings(ledger.settings).deliveryMBps * 1_000_000;
  // A version means one content for ever, so its name says as much as its manifest.
  const said = models.map(({ manifest: { name, version }, holders, siblings }) => [name, version, holders, siblings]);
  const markNow = sha256(new TextEncoder().encode(JSON.stringify([said, bytesPerSecondMax])));
  return { mark: markNow, ...(markNow !== mark && { told: { models, bytesPerSecondMax } }) };
}
