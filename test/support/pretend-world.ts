/** A terminal that remembers what was written to it, and a way to run one command in it. */
import { main } from "../../agent/cli/index.ts";
import type { World } from "../../agent/cli/world.ts";

export interface PretendWorld extends World {
  readonly written: { out: string; err: string };
  /** Presses Ctrl-C. */
  interrupt(): void;
  /** The code the process was ended with, if it was. */
  readonly exited: number | undefined;
  /** How many wait for Ctrl-C now. */
  readonly listening: number;
}

export function pretendWorld(more: Partial<World> = {}): PretendWorld {
  const written = { out: "", err: "" };
  let exited: number | undefined;
  const listeners = new Set<(signal: NodeJS.Signals) => void>();
  return {
    written,
    out: (text) => {
      written.out += text;
    },
    err: (text) => {
      written.err += text;
    },
    isTerminal: false,
    columns: () => 80,
    outColumns: () => undefined,
    env: {},
    fetch: globalThis.fetch,
    ask: async () => undefined,
    onInterrupt(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    interrupt: () => {
      for (const listener of listeners) listener("SIGINT");
    },
    exit: (code) => {
      exited ??= code;
    },
    get exited() {
      return exited;
    },
    get listening() {
      return listeners.size;
    },
    ...more,
  };
}

/** One command, as a person would type it. */
export async function skein(
  argv: string[],
  world: PretendWorld = pretendWorld(),
): Promise<{ code: number; out: string; err: string }> {
  const code = await main(argv, world);
  return { code, ...world.written };
}
