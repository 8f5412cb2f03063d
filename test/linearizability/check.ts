/**
 * Is a history linearizable? Wing and Gong's search with Lowe's improvements: keys are independent and checked one by one
 * (P-compositionality), and a configuration that was reached before is not searched again. The list of what is left to
 * place is porcupine's: calls and returns in the order of time, from which placed operations are lifted and put back.
 */
import { byKey, type Operation } from "./history.ts";
import { Visited } from "./visited.ts";

export interface KeyVerdict {
  key: string;
  operations: Operation[];
  /** "undecided": the search was given up at its bound. */
  verdict: "linearizable" | "not linearizable" | "undecided";
  /** If linearizable, an order that holds. */
  order: Operation[];
}

/** Configurations of one key that are searched before it is given up: some hundred megabytes, and some tens of seconds. */
const SEARCHED_MAX = 4_000_000;
/** Reads looked at to see whether an order is past saving; the nearest ones tell soonest. */
const READS_LOOKED_AT = 64;

export const checkHistory = (operations: readonly Operation[]): KeyVerdict[] =>
  [...byKey(operations)].map(([key, own]) => checkKey(key, own));

interface Node {
  operation: Operation;
  index: number;
  isCall: boolean;
  before: Node | undefined;
  after: Node | undefined;
  /** Of a call whose end is known. */
  end: Node | undefined;
}

export function checkKey(key: string, all: readonly Operation[]): KeyVerdict {
  const operations = withoutUnseen(all);
  const search = new Search(operations);
  const verdict = search.run();
  return { key, operations: [...all], verdict, order: verdict === "linearizable" ? search.order() : [] };
}

/**
 * A write without an end that no read can have seen is left out: wherever it might have taken effect, the same order
 * without it holds too. Each one kept would double what is to be searched.
 */
function withoutUnseen(operations: readonly Operation[]): Operation[] {
  const reads = operations.filter(({ verb }) => verb === "get").map(({ value }) => value);
  const isSeen = ({ verb, value }: Operation): boolean =>
    reads.some((read) => (verb === "put" ? read.startsWith(value) : read.includes(value)));
  return operations.filter((one) => Number.isFinite(one.endsAt) || isSeen(one));
}

class Search {
  readonly #operations: readonly Operation[];
  readonly #head: Node = {
    operation: undefined as never,
    index: -1,
    isCall: false,
    before: undefined,
    after: undefined,
    end: undefined,
  };
  readonly #done: Int32Array;
  readonly #visited: Visited;
  readonly #states = new Map<string, { id: number; readBy: number[] }>();
  /** Of each get, the puts that could begin what it read. */
  readonly #sources: readonly number[][];
  readonly #placed: { node: Node; state: string }[] = [];

  constructor(operations: readonly Operation[]) {
    this.#operations = operations;
    this.#done = new Int32Array(Math.ceil(operations.length / 32));
    this.#visited = new Visited(this.#done.length);
    this.#sources = operations.map((read) =>
      read.verb !== "get"
        ? []
        : operations.flatMap((put, i) => (put.verb === "put" && read.value.startsWith(put.value) ? [i] : [])),
    );
    this.#link();
  }

  run(): KeyVerdict["verdict"] {
    let left = this.#operations.filter(({ endsAt }) => Number.isFinite(endsAt)).length;
    const placed = this.#placed;
    let state = "";
    let node = this.#head.after;
    while (left > 0) {
      if (this.#visited.count > SEARCHED_MAX) return "undecided";
      const next = node?.isCall ? this.#place(node, state) : undefined;
      if (node && next !== undefined) {
        placed.push({ node, state });
        state = next;
        if (node.end) left--;
        lift(node);
        node = this.#head.after;
      } else if (node?.isCall) {
        node = node.after;
      } else {
        // Past the end of an operation that is not placed, none may begin: the last choice was wrong.
        const last = placed.pop();
        if (!last) return "not linearizable";
        state = last.state;
        if (last.node.end) left++;
        this.#mark(last.node.index);
        putBack(last.node);
        node = last.node.after;
      }
    }
    return "linearizable";
  }

  order(): Operation[] {
    return this.#placed.map(({ node }) => node.operation);
  }

  /** The state after it, if it may come next here and this is new; the operation is then marked as done. */
  #place({ operation, index }: Node, state: string): string | undefined {
    const { verb, value } = operation;
    if (verb === "get" && value !== state) return undefined;
    const next = verb === "get" ? state : verb === "put" ? value : state + value;
    this.#mark(index);
    if (this.#visited.add(this.#done, this.#stateId(next)) && !this.#isLost(next)) return next;
    this.#mark(index);
    return undefined;
  }

  /** True if some read that is still to be placed can no longer read what it read: no append leads there, and no put does. */
  #isLost(state: string): boolean {
    let looked = 0;
    for (let node = this.#head.after; node && looked < READS_LOOKED_AT; node = node.after) {
      const { index, operation } = node;
      if (!node.isCall || operation.verb !== "get" || this.#isDone(index)) continue;
      looked++;
      if (!operation.value.startsWith(state) && this.#sources[index]!.every((put) => this.#isDone(put))) return true;
    }
    return false;
  }

  #isDone(index: number): boolean {
    return (this.#done[index >> 5]! & (1 << (index & 31))) !== 0;
  }

  /** Done if it was not, not done if it was. */
  #mark(index: number): void {
    this.#done[index >> 5]! ^= 1 << (index & 31);
  }

  /** States that no read to come can build on are one: only a put leads on from them, whatever they hold. */
  #stateId(state: string): number {
    let known = this.#states.get(state);
    if (!known) {
      const readBy = this.#operations.flatMap(({ verb, value }, i) =>
        verb === "get" && value.startsWith(state) ? [i] : [],
      );
      known = { id: this.#states.size + 1, readBy };
      this.#states.set(state, known);
    }
    return known.readBy.every((read) => this.#isDone(read)) ? 0 : known.id;
  }

  #link(): void {
    const nodes: { at: number; node: Node }[] = [];
    for (const [index, operation] of this.#operations.entries()) {
      const none = { before: undefined, after: undefined, end: undefined };
      const end: Node | undefined = Number.isFinite(operation.endsAt)
        ? { operation, index, isCall: false, ...none }
        : undefined;
      nodes.push({ at: operation.startsAt, node: { operation, index, isCall: true, ...none, end } });
      if (end) nodes.push({ at: operation.endsAt, node: end });
    }
    nodes.sort((a, b) => a.at - b.at);
    let last = this.#head;
    for (const { node } of nodes) {
      node.before = last;
      last.after = node;
      last = node;
    }
  }
}

function lift(call: Node): void {
  for (const node of call.end ? [call, call.end] : [call]) {
    node.before!.after = node.after;
    if (node.after) node.after.before = node.before;
  }
}

/** In the reverse order of the lifting, so that each finds its neighbours as it left them. */
function putBack(call: Node): void {
  for (const node of call.end ? [call.end, call] : [call]) {
    node.before!.after = node;
    if (node.after) node.after.before = node;
  }
}
