import type { Root } from "./root.ts";

/** Executors are at most a few; more children than these are not ours to count. */
const CHILDREN_MAX = 64;

/** Private memory in bytes; files that are mapped are in the page cache, which counts as free. */
const privateBytes = (root: Root, pid: string): number | undefined => {
  const kibibytes = root.text(`/proc/${pid}/status`)?.match(/^RssAnon:\s*(\d+) kB$/m)?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
};

/**
 * What the agent and the processes it started hold of the memory. Undefined where the kernel does not tell.
 * /proc/PID/task/PID/children is there if the kernel was built with CONFIG_PROC_CHILDREN (proc(5)); without it only the
 * agent itself is counted.
 */
export function ownMemoryBytes(root: Root): number | undefined {
  const pid = root.text("/proc/self/status")?.match(/^Pid:\s*(\d+)$/m)?.[1];
  if (pid === undefined) return undefined;
  const own = privateBytes(root, "self");
  if (own === undefined) return undefined;
  const children = (root.text(`/proc/self/task/${pid}/children`) ?? "").trim().split(" ").filter(Boolean);
  const theirs = children.slice(0, CHILDREN_MAX).map((child) => privateBytes(root, child) ?? 0);
  return theirs.reduce((sum, bytes) => sum + bytes, own);
}
