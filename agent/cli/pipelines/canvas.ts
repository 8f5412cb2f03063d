/** A drawing of lines and words in the cells of a terminal. */

/** Sides of a cell that a line leaves by. */
export const SIDE = { up: 1, right: 2, down: 4, left: 8 } as const;

/** By the sides added up. */
const LINES = " ╵╶└╷│┌├╴┘─┴┐┤┬┼";

export class Canvas {
  readonly #lines: number[][] = [];
  readonly #letters: (string | undefined)[][] = [];

  /** From one cell to another of the same row or column, both taken in. */
  line(from: readonly [x: number, y: number], to: readonly [x: number, y: number]): void {
    const [dx, dy] = [Math.sign(to[0] - from[0]), Math.sign(to[1] - from[1])];
    const [ahead, behind] = dx !== 0 ? crosswise(dx) : dy > 0 ? [SIDE.down, SIDE.up] : [SIDE.up, SIDE.down];
    for (let [x, y] = from; x !== to[0] || y !== to[1]; x += dx, y += dy) {
      this.#add(x, y, ahead);
      this.#add(x + dx, y + dy, behind);
    }
  }

  /** Covers whatever line is there. */
  write(x: number, y: number, text: string): void {
    this.#letters[y] ??= [];
    for (const [i, letter] of [...text].entries()) this.#letters[y]![x + i] = letter;
  }

  text(): string {
    const height = Math.max(this.#lines.length, this.#letters.length);
    const rows = Array.from({ length: height }, (_, y) => {
      const [lines, letters] = [this.#lines[y] ?? [], this.#letters[y] ?? []];
      const width = Math.max(lines.length, letters.length);
      return Array.from({ length: width }, (_, x) => letters[x] ?? LINES[lines[x] ?? 0]).join("");
    });
    return rows.map((row) => `${row.trimEnd()}\n`).join("");
  }

  #add(x: number, y: number, side: number): void {
    this.#lines[y] ??= [];
    this.#lines[y]![x] = (this.#lines[y]![x] ?? 0) | side;
  }
}

const crosswise = (dx: number): [ahead: number, behind: number] =>
  dx > 0 ? [SIDE.right, SIDE.left] : [SIDE.left, SIDE.right];
