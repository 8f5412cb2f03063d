/** Harm to a pretend box, with what ends it outside of the box's own life, as the real room has it. */
import type { Clock, Faults } from "../../agent/ports/index.ts";

export interface PretendFaultsInit {
  /** Of the world: it goes on while the box does not. */
  clock: Clock;
  kill(): void;
  start(): void;
  freeze(): void;
  thaw(): void;
  fillDisk(isFull: boolean): void;
}

export const pretendFaults = ({ clock, kill, start, freeze, thaw, fillDisk }: PretendFaultsInit): Faults => ({
  async kill(inMs, forMs) {
    clock.after(inMs, kill);
    clock.after(inMs + forMs, start);
    return "somebody starts it again";
  },
  async freeze(inMs, forMs) {
    clock.after(inMs, freeze);
    clock.after(inMs + forMs, thaw);
    return "it stands still";
  },
  fillDisk,
});
