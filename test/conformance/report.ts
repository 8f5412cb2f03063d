/** One thing that came out otherwise than a file expects. */
export interface Difference {
  line: number;
  what: string;
  expected: string;
  actual: string;
}
