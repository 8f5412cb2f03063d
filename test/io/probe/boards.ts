import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

/** Writes the files of boards/NAME.json to a folder that lives as long as the test. */
export function writeBoard(name: string): WrittenBoard {
  const board = JSON.parse(readFileSync(new URL(`boards/${name}.json`, import.meta.url), "utf8"));
  const root = mkdtempSync(join(tmpdir(), `skein-${name}-`));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const [path, text] of Object.entries(board.files)) write(path, text as string);
  return { root, arch: board.arch, write, remove: (path) => rmSync(join(root, path), { recursive: true }) };
}
