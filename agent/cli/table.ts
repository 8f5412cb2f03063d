/** Text for a terminal. */

/** Names come from other boxes; a control character among them must not reach the terminal. */
export const plain = (text: string): string => text.replace(/\p{Cc}/gu, "?");

/** Columns as wide as their widest cell; those named in `right` are aligned to the right, as figures should be. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
): string {
  const lines = [head, ...rows].map((row) => row.map(plain));
  const widths = head.map((_, column) => Math.max(...lines.map((row) => widthOf(row[column] ?? ""))));
  const text = lines.map((row) =>
    row
      .map((cell, column) => {
        const gap = " ".repeat(widths[column]! - widthOf(cell));
        return right.includes(head[column]!) ? gap + cell : cell + gap;
      })
      .join("  ")
      .trimEnd(),
  );
  return `${text.join("\n")}\n`;
}

/** Names and what belongs to them, one a line. */
export function pairs(rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${plain(value)}\n`).join("");
}

const widthOf = (text: string): number => [...text].length;

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 90) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, count < 1000 ? 0 : Math.floor(Math.log10(count) / 3));
  const value = count / 1000 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}
