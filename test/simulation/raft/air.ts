/** What lies between the nodes: messages on their way, and links that lose everything. */
import type { NodeId } from "../../../shared/ids.ts";
import type { RaftMessage } from "../../../shared/raft.ts";

/** More than any run needs in the air; beyond it messages are dropped at random. */
const FLYING_MAX = 400;

export class Air {
  private flying: RaftMessage[] = [];
  /** Directed. */
  private readonly cuts: Set<string> = new Set();
  private readonly random: () => number;

  constructor(random: () => number) {
    this.random = random;
  }

  get isEmpty(): boolean {
    return this.flying.length === 0;
  }

  /** Returns a message that had to make room. */
  put(message: RaftMessage): RaftMessage | undefined {
    this.flying.push(message);
    return this.flying.length > FLYING_MAX ? this.takeAny() : undefined;
  }

  /** The oldest, as far as order was kept. */
  takeFirst(): RaftMessage {
    return this.flying.shift()!;
  }

  takeAny(): RaftMessage {
    const at = Math.floor(this.random() * this.flying.length);
    const message = this.flying[at]!;
    this.flying[at] = this.flying.at(-1)!;
    this.flying.pop();
    return message;
  }

  loses({ from, to }: RaftMessage): boolean {
    return this.cuts.has(`${from}${to}`);
  }

  cut(from: NodeId, to: NodeId): void {
    this.cuts.add(`${from}${to}`);
  }

  partition(nodes: NodeId[]): void {
    const side = new Set(nodes.filter(() => this.random() < 0.5));
    for (const a of nodes) for (const b of nodes) if (side.has(a) !== side.has(b)) this.cut(a, b);
  }

  mend(): void {
    this.cuts.clear();
  }

  clear(): void {
    this.flying = [];
  }
}

/** A message in a line of the story. */
export function brief(message: RaftMessage): string {
  const { type, term, index, logTerm, entries, commit, reject, rejectHint, snapshot } = message;
  const list = entries.map((entry) => `${entry.term}/${entry.index}${entry.kind === "normal" ? "" : entry.kind[0]}`);
  const words = [`${type} term ${term} at ${logTerm}/${index} commit ${commit}`];
  if (reject) words.push(`refused, hint ${rejectHint}`);
  if (list.length > 0) words.push(`[${list.join(" ")}]`);
  if (snapshot) words.push(`snapshot ${snapshot.term}/${snapshot.index}`);
  return words.join(" ");
}
