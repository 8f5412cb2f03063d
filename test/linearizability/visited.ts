/**
 * Which configurations (set of operations done, state reached) were searched already, exactly: rows of whole numbers in
 * one array, found through a table of hashes. A JavaScript Set ends at 16 million members and costs many times the memory.
 */
export class Visited {
  readonly #width: number;
  #rows: Int32Array;
  #table: Int32Array;
  #count = 0;

  /** `words` of 32 operations each, and one for the state. */
  constructor(words: number) {
    this.#width = words + 1;
    this.#rows = new Int32Array(this.#width * 1024);
    this.#table = new Int32Array(4096);
  }

  get count(): number {
    return this.#count;
  }

  /** False if it was there. */
  add(done: Int32Array, state: number): boolean {
    if (2 * this.#count >= this.#table.length) this.#grow();
    const mask = this.#table.length - 1;
    let slot = hashOf(done, state) & mask;
    for (; this.#table[slot] !== 0; slot = (slot + 1) & mask)
      if (this.#isRow(this.#table[slot]! - 1, done, state)) return false;
    this.#write(done, state);
    this.#table[slot] = this.#count;
    return true;
  }

  #isRow(row: number, done: Int32Array, state: number): boolean {
    const at = row * this.#width;
    if (this.#rows[at] !== state) return false;
    for (let i = 0; i < done.length; i++) if (this.#rows[at + 1 + i] !== done[i]) return false;
    return true;
  }

  #write(done: Int32Array, state: number): void {
    const at = this.#count * this.#width;
    if (at + this.#width > this.#rows.length) {
      const larger = new Int32Array(this.#rows.length * 2);
      larger.set(this.#rows);
      this.#rows = larger;
    }
    this.#rows[at] = state;
    this.#rows.set(done, at + 1);
    this.#count++;
  }

  #grow(): void {
    const table = new Int32Array(this.#table.length * 4);
    const mask = table.length - 1;
    for (let row = 0; row < this.#count; row++) {
      const at = row * this.#width;
      let slot = hashOf(this.#rows.subarray(at + 1, at + this.#width), this.#rows[at]!) & mask;
      while (table[slot] !== 0) slot = (slot + 1) & mask;
      table[slot] = row + 1;
    }
    this.#table = table;
  }
}

function hashOf(done: Int32Array, state: number): number {
  let hash = Math.imul(state ^ 0x9e3779b9, 0x85ebca6b);
  for (const word of done) {
    hash = Math.imul(hash ^ word, 0xc2b2ae35);
    hash ^= hash >>> 15;
  }
  return hash ^ (hash >>> 13);
}
