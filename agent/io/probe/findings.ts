import type { Finding, NotFound } from "../../../shared/box.ts";

/** Collects what the readers find, in the order in which they look. */
export class Findings {
  readonly found: Finding[] = [];
  readonly missing: NotFound[] = [];

  /** Takes the value, if there is one, and hands it on; else notes that it was looked for. */
  note<T extends Finding["value"]>(what: string, value: T | undefined, from: string): T | undefined {
    if (value === undefined || value === "") this.missing.push({ what, lookedAt: [from] });
    else this.found.push({ what, value, from });
    return value;
  }

  missed(what: string, lookedAt: string[]): void {
    this.missing.push({ what, lookedAt });
  }
}
