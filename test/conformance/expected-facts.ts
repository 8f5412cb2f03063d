/**
 * What a scenario's expected text says of each node, gathered directive by directive: the last thing seen counts, and
 * whatever a directive may have changed without printing it is forgotten.
 */
import { argOf, type Directive, listOf, numbersOf } from "./datadriven.ts";

export interface Facts {
  term?: string;
  vote?: string;
  commit?: string;
  lead?: string;
  role?: string;
  config?: string;
  /** Stable entries by index. */
  log: Map<number, string>;
}

/** Each shows itself and what comes after it. */
const LEVELS = ["debug", "info", "warn", "error", "fatal", "none"];
/** They print state and change nothing. */
const READERS = new Set(["raft-state", "raft-log", "status", "log-level", "add-nodes", "_breakpoint"]);

export class ExpectedFacts {
  readonly nodes: Map<number, Facts> = new Map();
  private level = 0;
  private nodeCount = 0;

  see(directive: Directive): void {
    if (directive.command === "log-level") this.level = LEVELS.indexOf(directive.args[0]!.key.toLowerCase());
    if (directive.command === "add-nodes") this.nodeCount += numbersOf(directive)[0]!;
    const level = this.levelFor(directive);
    if (!READERS.has(directive.command)) this.forget(directive, level);
    if (level < LEVELS.indexOf("none")) new Reading(this, directive).read();
  }

  private levelFor(directive: Directive): number {
    return Math.max(this.level, LEVELS.indexOf(argOf(directive, "log-level") ?? "debug"));
  }

  /** Whether a directive seen just now was run without printing anything. */
  isQuiet(directive: Directive): boolean {
    return this.levelFor(directive) === LEVELS.indexOf("none");
  }

  of(n: number): Facts {
    let facts = this.nodes.get(n);
    if (!facts) {
      facts = { log: new Map() };
      this.nodes.set(n, facts);
    }
    return facts;
  }

  private forget(directive: Directive, level: number): void {
    const named = [...numbersOf(directive), ...listOf(directive, "drop").map(Number)];
    if (directive.command === "transfer-leadership") named.push(Number(argOf(directive, "from")));
    const touched = named.length > 0 ? named : Array.from({ length: this.nodeCount }, (_, at) => at + 1);
    for (const n of touched) {
      if (level === LEVELS.indexOf("none")) this.nodes.set(n, { log: new Map() });
      // A change of role or configuration is told at level info, outside the Ready.
      else if (level > LEVELS.indexOf("info")) {
        const { vote, commit, log } = this.of(n);
        this.nodes.set(n, { ...(vote !== undefined && { vote }), ...(commit !== undefined && { commit }), log });
      }
    }
  }
}

class Reading {
  private readonly facts: ExpectedFacts;
  private readonly directive: Directive;
  private node: number | undefined;
  private inEntries = false;
  private firstEntry = false;

  constructor(facts: ExpectedFacts, directive: Directive) {
    this.facts = facts;
    this.directive = directive;
    // A single node's Ready is printed without saying whose it is.
    const ids = numbersOf(directive);
    if (directive.command === "process-ready" && ids.length === 1) this.node = ids[0];
  }

  read(): void {
    const { command, expected } = this.directive;
    if (command === "raft-log" || command === "compact") this.readLog(expected);
    else for (const line of expected.split("\n")) this.readLine(line.trim());
  }

  private readLog(expected: string): void {
    const { log } = this.facts.of(numbersOf(this.directive)[0]!);
    log.clear();
    for (const [, term, index, what] of expected.matchAll(/^(\d+)\/(\d+) (Entry.*)$/gm))
      log.set(Number(index), `${term}/${index} ${what}`);
  }

  private readLine(line: string): void {
    const header = line.match(/^> (\d+) /);
    if (header) {
      this.node = Number(header[1]);
      this.inEntries = false;
    } else if (/^(DEBUG|INFO|WARN|ERROR|FATAL) /.test(line)) this.readLogLine(line);
    else if (this.directive.command === "raft-state") this.readState(line);
    else if (this.node !== undefined) this.readReadyLine(this.facts.of(this.node), line);
  }

  private readLogLine(line: string): void {
    const became = line.match(/^INFO (\d+) became ([a-z-]+) at term (\d+)/);
    if (became) {
      const facts = this.facts.of(Number(became[1]));
      const role = became[2]!.replace(/(^|-)([a-z])/g, (_all, _dash, letter: string) => letter.toUpperCase());
      facts.role = `State${role}`;
      facts.term = became[3]!;
      if (role === "Leader") facts.lead = Number(became[1]).toString(16);
      else if (role === "Follower") delete facts.lead;
      else facts.lead = "0";
    }
    const switched = line.match(/^INFO (\d+) switched to configuration (.*)$/);
    if (switched) this.facts.of(Number(switched[1])).config = switched[2]!;
  }

  private readState(line: string): void {
    const state = line.match(/^(\d+): (State\w+) \((?:Non-)?Voter\) Term:(\d+) Lead:(\w+)$/);
    if (!state) return;
    const facts = this.facts.of(Number(state[1]));
    [facts.role, facts.term, facts.lead] = [state[2]!, state[3]!, state[4]!];
  }

  private readReadyLine(facts: Facts, line: string): void {
    const soft = line.match(/^Lead:(\w+) State:(\w+)$/);
    if (soft) [facts.lead, facts.role] = [soft[1]!, soft[2]!];
    const hard = line.match(/^HardState Term:(\d+)(?: Vote:(\w+))? Commit:(\d+)$/);
    if (hard) [facts.term, facts.vote, facts.commit] = [hard[1]!, hard[2] ?? "0", hard[3]!];
    if (/^Snapshot Index:/.test(line)) facts.log.clear();
    if (/^[A-Z]\w+:$/.test(line)) {
      this.inEntries = line === "Entries:";
      this.firstEntry = true;
    }
    const entry = line.match(/^\d+\/(\d+) Entry.*$/);
    if (entry && this.inEntries) this.readEntry(facts, Number(entry[1]), line);
  }

  private readEntry(facts: Facts, index: number, line: string): void {
    if (this.firstEntry) for (const known of facts.log.keys()) if (known >= index) facts.log.delete(known);
    this.firstEntry = false;
    facts.log.set(index, line);
  }
}
