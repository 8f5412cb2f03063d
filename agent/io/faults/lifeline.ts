/** The process without which an agent that was started again must not live on: whoever held the first one by an IPC channel. */
export const LIFELINE = "SKEIN_LIFELINE";

/** False once the process that is named there is gone. */
export function hasLifeline(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
