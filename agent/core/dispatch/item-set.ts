/**
 * Items of one job as bits, 32 to a word. A job has at most some thousand items, so the whole set is some hundred words:
 * the front is found, and an item put back in its place, without looking at the others.
 */
export class ItemSet {
  #words: Uint32Array;
  #size = 0;
  /** No item is in a word before this one. */
  #front = 0;

  /** @param capacity one more than the largest item that is expected; it grows if a larger one comes */
  constructor(capacity: number, items: Iterable<number> = []) {
    this.#words = new Uint32Array((capacity >> 5) + 1);
    for (const item of items) this.add(item);
  }

  get size(): number {
    return this.#size;
  }

  has(item: number): boolean {
    return ((this.#words[item >> 5] ?? 0) & (1 << (item & 31))) !== 0;
  }

  add(item: number): void {
    const word = item >> 5;
    if (this.has(item)) return;
    if (word >= this.#words.length) this.#grow(word);
    this.#words[word]! |= 1 << (item & 31);
    this.#size++;
    if (word < this.#front) this.#front = word;
  }

  #grow(word: number): void {
    const words = new Uint32Array(2 * word + 1);
    words.set(this.#words);
    this.#words = words;
  }

  delete(item: number): boolean {
    if (!this.has(item)) return false;
    this.#words[item >> 5]! &= ~(1 << (item & 31));
    this.#size--;
    return true;
  }

  /** The lowest; undefined if there is none. */
  front(): number | undefined {
    if (this.#size === 0) return undefined;
    while (this.#words[this.#front] === 0) this.#front++;
    const bits = this.#words[this.#front]!;
    return (this.#front << 5) + (31 - Math.clz32(bits & -bits));
  }

  /** Takes up to `count` items out, the lowest first. */
  takeFront(count: number): number[] {
    const taken: number[] = [];
    while (taken.length < count && this.#size > 0) {
      const item = this.front()!;
      this.delete(item);
      taken.push(item);
    }
    return taken;
  }
}
