/** How sound the blobs of one box were found to be. */
export interface ScrubView {
  /** When every blob here had been read again, by this box's wall clock; absent until that was done once. */
  lastFullPassAtMs?: number;
  /** Copies that had rotted on this disk, since the box came into the fleet. Each was made anew from another. */
  damagedFound: number;
}
