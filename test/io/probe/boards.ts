import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

export interface WrittenBoard {
  root: string;
  arch: string;
  /** Writes or replaces one of the kernel's files. */
  write(path: string, text: string): void;
  remove(path: string): void;
}

export interface BoardFile {
  /** Whether the files come from such a box, or were written after what others say of one. */
  origin: "recorded" | "written";
  /** Where from, or after what. */
  from: string[];
  arch: string;
  /** Path → text, or its lines. */
  files: Record<string, string | string[]>;
}

export const boardNames: string[] = readdirSync(new URL("boards/", import.meta.url))
  .filter((file) => file.endsWith(".json"))
  .map((file) => file.slice(0, -".json".length));

export const readBoardFile = (name: string): BoardFile =>
  JSON.parse(readFileSync(new URL(`boards/${name}.json`, import.meta.url), "utf8"));

/** Writes the files of boards/NAME.json to a folder that lives as long as the test. */
export function writeBoard(name: string): WrittenBoard {
  const board = readBoardFile(name);
  const root = mkdtempSync(join(tmpdir(), `skein-${name}-`));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const [path, text] of Object.entries(board.files)) write(path, Array.isArray(text) ? text.join("\n") : text);
  return { root, arch: board.arch, write, remove: (path) => rmSync(join(root, path), { recursive: true }) };
}
