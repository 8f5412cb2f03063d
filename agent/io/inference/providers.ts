import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ProviderTrial } from "../../../shared/box.ts";
import { TIMING } from "../../../shared/limits.ts";
import { environment } from "./executor-process.ts";
import type { TrialEnd } from "./protocol.ts";

const reasonChars = 300;
const logChars = 2_000;

/** In the sources a .ts file, in the built package a .js file: whichever this one is. */
const trialFile = fileURLToPath(new URL(`./provider-trial${import.meta.url.slice(-3)}`, import.meta.url));

/**
 * Which of these execution providers work on this box: those that made a session and ran it to the right result. The CPU
 * is always tried. One after the other, each in a process of its own, so that one that crashes or hangs harms nothing.
 */
export async function tryProviders(
  names: readonly string[],
  { file = trialFile, deadlineMs = TIMING.providerTrialMs as number } = {},
): Promise<ProviderTrial[]> {
  const trials: ProviderTrial[] = [];
  for (const name of new Set([...names, "cpu"])) trials.push({ name, ...(await trialOf(name, file, deadlineMs)) });
  return trials;
}

/** onnxruntime says only in its log which library it missed. */
const missingLibrary = (log: string): string =>
  log.match(/ with error: (?:\/\S*\/)?(.+)/)?.[1]?.replace(/^/, ": ") ?? "";

/** It comes from a process in which somebody's driver ran. */
function readEnd(message: unknown): TrialEnd {
  const { works, reason } = (message ?? {}) as Partial<TrialEnd>;
  if (typeof works === "boolean" && typeof reason === "string") return { works, reason };
  return { works: false, reason: "what its process said cannot be understood" };
}

function trialOf(name: string, file: string, deadlineMs: number): Promise<TrialEnd> {
  const child = fork(file, [name], {
    serialization: "advanced",
    execArgv: [],
    env: environment(),
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  return new Promise((resolve) => {
    let end: TrialEnd | undefined;
    let lastWords = "";
    let isLate = false;
    const late = setTimeout(() => {
      isLate = true;
      child.kill("SIGKILL");
    }, deadlineMs);
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      lastWords = (lastWords + text).slice(-logChars);
    });
    child.on("message", (message) => {
      end ??= readEnd(message);
      child.kill("SIGKILL");
    });
    const ended = (how: string): void => {
      clearTimeout(late);
      const silent = isLate
        ? `it took longer than ${deadlineMs} ms`
        : [how, lastWords.replace(/\s+/g, " ").trim()].filter(Boolean).join(": ");
      const { works, reason } = end ?? { works: false, reason: silent };
      resolve({ works, reason: (works ? reason : reason.trim() + missingLibrary(lastWords)).slice(0, reasonChars) });
    };
    child.on("error", (error) => ended(error.message));
    child.on("close", (code, signal) => ended(`its process ended with ${signal ?? code}`));
  });
}
