/** One thing that came out otherwise than a file expects. */
export interface Difference {
  line: number;
  what: string;
  expected: string;
  actual: string;
}

/** What this core, or the reader, does not have; a file that asks for it is not run, and named. */
export class Unsupported extends Error {
  override readonly name = "Unsupported";
}
