import { invariant } from "../../../shared/errors.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import type { SimNode } from "./sim-node.ts";

/** Disks outlive agents: a holder that is down still holds. A copy that rotted is none. */
export class CopiesCheck {
  readonly #nodes: readonly SimNode[];
  /** Outputs of recorded results, with a word for people. */
  readonly #outputs = new Map<BlobHash, string>();
  /** Of which a copy was lost since they were looked at. */
  readonly #doubtful = new Set<BlobHash>();
  #appliedIndex = 0;
  #isRecovered = false;

  constructor(nodes: readonly SimNode[]) {
    this.#nodes = nodes;
  }

  recorded(output: BlobHash, key: string): void {
    this.#outputs.set(output, key);
  }

  lost(blob: BlobHash): void {
    if (this.#outputs.has(blob)) this.#doubtful.add(blob);
  }

  /** What only the lost boxes held is lost. */
  recovering(): void {
    this.#isRecovered = true;
  }

  /** No recorded result without a good copy on the disk of a box that the ledger names. */
  afterStep(isWhole: boolean): void {
    if (this.#isRecovered || (!isWhole && this.#doubtful.size === 0)) return;
    const ledger = this.#newestLedger();
    if (!ledger) return;
    for (const output of isWhole ? this.#outputs.keys() : this.#doubtful) {
      const holders = ledger.holders.get(output);
      if (!holders) continue;
      const holds = this.#nodes.some(({ nodeId, blobs }) => holders.has(nodeId) && blobs.holdsSound(output));
      invariant(holds, `${this.#outputs.get(output)}: a recorded result is on some holder's disk`);
    }
    this.#doubtful.clear();
  }

  /** One that lags may name holders of long ago; while no other is up, what is in doubt waits. */
  #newestLedger() {
    const ledgers = this.#nodes.flatMap(({ agent }) => (agent ? [agent.ledger] : []));
    const newest = ledgers.reduce((a, b) => (b.appliedIndex > a.appliedIndex ? b : a), ledgers[0]!);
    if (!newest || newest.appliedIndex < this.#appliedIndex) return undefined;
    this.#appliedIndex = newest.appliedIndex;
    return newest;
  }
}
