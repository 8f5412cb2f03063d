import type { NodeId } from "../../../shared/ids.ts";
import { ItemSet } from "./item-set.ts";

/** Where most of what an item starts from lies, and how much that is. */
export interface ItemHome {
  readonly nodes: readonly NodeId[];
  readonly bytes: number;
}

/** Items that nobody has and anybody may have, handed out from the front: all of them, or those that lie near one node. */
export class WaitingItems {
  readonly #capacity: number;
  readonly #all: ItemSet;
  /** Of items that were opened, be they waiting or not. */
  readonly #homes = new Map<number, ItemHome>();
  readonly #near = new Map<NodeId, ItemSet>();
  /** Those without a home. */
  readonly #anywhere: ItemSet;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#all = new ItemSet(capacity);
    this.#anywhere = new ItemSet(capacity);
  }

  get size(): number {
    return this.#all.size;
  }

  get sizeAnywhere(): number {
    return this.#anywhere.size;
  }

  has(item: number): boolean {
    return this.#all.has(item);
  }

  /** Before it waits, or again when that has changed meanwhile. */
  setHome(item: number, home: ItemHome | undefined): void {
    const waits = this.delete(item);
    if (home) this.#homes.set(item, home);
    else this.#homes.delete(item);
    if (waits) this.add(item);
  }

  /** Also of one that does not wait. */
  homeOf(item: number): ItemHome | undefined {
    return this.#homes.get(item);
  }

  add(item: number): void {
    this.#all.add(item);
    for (const set of this.#setsOf(item)) set.add(item);
  }

  delete(item: number): boolean {
    if (!this.#all.delete(item)) return false;
    for (const set of this.#setsOf(item)) set.delete(item);
    return true;
  }

  /** Nodes near which some lie. */
  homes(): NodeId[] {
    return [...this.#near].flatMap(([node, { size }]) => (size > 0 ? [node] : []));
  }

  sizeNear(node: NodeId): number {
    return this.#near.get(node)?.size ?? 0;
  }

  /** What one that lies near this node would have to be brought elsewhere; of the first of them. */
  bytesNear(node: NodeId): number {
    const first = this.#near.get(node)?.front();
    return first === undefined ? 0 : this.#homes.get(first)!.bytes;
  }

  /** Up to so many, the lowest first: of those near a node, or of those without a home. */
  take(count: number, near?: NodeId): number[] {
    const items = (near === undefined ? this.#anywhere : this.#near.get(near))?.takeFront(count) ?? [];
    for (const item of items) this.delete(item);
    return items;
  }

  #setsOf(item: number): ItemSet[] {
    const home = this.#homes.get(item);
    return home ? home.nodes.map((node) => this.#setNear(node)) : [this.#anywhere];
  }

  #setNear(node: NodeId): ItemSet {
    const set = this.#near.get(node) ?? new ItemSet(this.#capacity);
    this.#near.set(node, set);
    return set;
  }
}
