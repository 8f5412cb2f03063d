import { createInterface } from "node:readline/promises";
import { hasLifeline, LIFELINE } from "../io/faults/index.ts";

/** What a command needs of the terminal it was started in; tests bring their own. */
export interface World {
  /** To stdout: data only. */
  out(text: string): void;
  /** To stderr: words for a person, and progress. */
  err(text: string): void;
  /** Whether a person watches stderr, so that a line may be drawn over. */
  isTerminal: boolean;
  columns(): number;
  /** Of stdout, where a person reads it; undefined where it goes to a file or a program. */
  outColumns(): number | undefined;
  env: Readonly<Record<string, string | undefined>>;
  fetch: typeof fetch;
  /** What a person types in answer to a question on stderr; undefined where no person sits at a terminal. */
  ask(question: string): Promise<string | undefined>;
  /** Calls for each Ctrl-C or request to end, until the returned function is called; meanwhile the process does not end by itself. */
  onInterrupt(listener: (signal: NodeJS.Signals) => void): () => void;
  /** Ends the process where it stands. */
  exit(code: number): void;
}

const ENDING: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** The real one. */
export function systemWorld(): World {
  // A reader that went away (`skein jobs | head`) is no failure of ours.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => process.exit());
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isTerminal: process.stderr.isTTY === true,
    columns: () => process.stderr.columns ?? 80,
    outColumns: () => (process.stdout.isTTY ? process.stdout.columns : undefined),
    env: process.env,
    fetch: globalThis.fetch,
    ask: askOnTerminal,
    onInterrupt(listener) {
      for (const signal of ENDING) process.on(signal, listener);
      // Started over an IPC channel by a program that is gone now (the demonstration, a test): as if its terminal had closed.
      const hangUp = (): void => listener("SIGHUP");
      process.on("disconnect", hangUp);
      const unwatch = watchLifeline(hangUp);
      return () => {
        unwatch();
        for (const signal of ENDING) process.off(signal, listener);
        process.off("disconnect", hangUp);
      };
    },
    exit: (code) => process.exit(code),
  };
}

const LIFELINE_LOOK_MS = 1_000;

/** An agent that came back from a drill has no channel to that program any more; it looks whether it still lives. */
function watchLifeline(hangUp: () => void): () => void {
  const pid = Number(process.env[LIFELINE]);
  if (!pid) return () => {};
  const timer = setInterval(() => {
    if (!hasLifeline(pid)) hangUp();
  }, LIFELINE_LOOK_MS);
  return () => clearInterval(timer);
}

async function askOnTerminal(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(question);
  } finally {
    terminal.close();
  }
}
