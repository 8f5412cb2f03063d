import type { NodeView } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { plain } from "../table.ts";
import type { World } from "../world.ts";
import type { LocalAgent } from "./local-fleet.ts";
import type { Watch } from "./watch.ts";

export interface ScreenInit {
  world: World;
  watch: () => Watch;
  agents: () => readonly LocalAgent[];
  pages: number;
  startedAtMs: number;
}

const DRAW_MS = 200;
const LINES_KEPT = 6;
const BAR = 28;
const [BOLD, DIM, GREEN, RED, YELLOW, PLAIN] = ["\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[0m"];

/** The live display: on a terminal it draws over itself; elsewhere it prints a line for each thing that happens. */
export class Screen {
  readonly #init: ScreenInit;
  readonly #lines: string[] = [];
  #views = new Map<NodeId, NodeView>();
  #drawn = 0;
  #toldTenths = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(init: ScreenInit) {
    this.#init = init;
  }

  start(): void {
    this.#timer = setInterval(() => this.#refresh(), DRAW_MS);
  }

  /** Leaves the last picture standing. */
  stop(): void {
    clearInterval(this.#timer);
    if (this.#init.world.isTerminal) this.#draw();
  }

  say(line: string): void {
    const stamped = `${((performance.now() - this.#init.startedAtMs) / 1000).toFixed(1).padStart(5)} s  ${plain(line)}`;
    if (!this.#init.world.isTerminal) {
      this.#init.world.err(`${stamped}\n`);
      return;
    }
    this.#lines.push(stamped);
    if (this.#lines.length > LINES_KEPT) this.#lines.shift();
    this.#draw();
  }

  #refresh(): void {
    const alive = this.#init.agents().find((agent) => agent.process && agent.nodeId);
    // A dead or starting agent has no view to give; the last one stays on the screen.
    alive?.client.nodes().then(
      (nodes) => {
        this.#views = new Map(nodes.map((node) => [node.nodeId, node]));
      },
      () => {},
    );
    if (this.#init.world.isTerminal) this.#draw();
    else this.#tellProgress();
  }

  #tellProgress(): void {
    const done = this.#init.watch().recordedBy.size;
    const tenths = Math.floor((10 * done) / this.#init.pages);
    if (tenths <= this.#toldTenths) return;
    this.#toldTenths = tenths;
    this.say(`${done} of ${this.#init.pages} pages recorded`);
  }

  #draw(): void {
    const width = this.#init.world.columns();
    const rows = [...this.#table(), "", this.#progress(), "", ...this.#lines.map((line) => `${DIM}${line}${PLAIN}`)];
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : "";
    this.#init.world.err(`${up}${rows.map((row) => `\x1b[2K${clip(row, width)}\n`).join("")}\x1b[J`);
    this.#drawn = rows.length;
  }

  #table(): string[] {
    const { term } = this.#init.watch();
    const head = `${BOLD}  box       process   part         pages/s   pages   share${PLAIN}   ${DIM}term ${term}${PLAIN}`;
    return [head, ...this.#init.agents().map((agent) => this.#row(agent))];
  }

  #row(agent: LocalAgent): string {
    const watch = this.#init.watch();
    const view = agent.nodeId && this.#views.get(agent.nodeId);
    const pages = [...watch.recordedBy.values()].filter((node) => node === agent.nodeId).length;
    const rate = view?.report?.rates[0]?.itemsPerSecond;
    const share = "█".repeat(Math.round((BAR * pages) / this.#init.pages));
    const pid = String(agent.process?.pid ?? "-").padEnd(8);
    const part = this.#part(agent, view);
    return `  ${agent.name.padEnd(8)}  ${pid}  ${part}  ${(rate?.toFixed(2) ?? "-").padStart(7)}   ${String(pages).padStart(5)}   ${GREEN}${share}${PLAIN}`;
  }

  #part(agent: LocalAgent, view: NodeView | undefined | ""): string {
    const words = (text: string, colour: string): string => `${colour}${text.padEnd(10)}${PLAIN}`;
    if (!agent.process) return words("✗ killed", RED);
    if (agent.nodeId && agent.nodeId === this.#init.watch().leader) return words("★ leader", YELLOW);
    return words(view ? view.role : "starting", "");
  }

  #progress(): string {
    const done = this.#init.watch().recordedBy.size;
    const filled = Math.round((2 * BAR * done) / this.#init.pages);
    return `  ${GREEN}${"━".repeat(filled)}${PLAIN}${DIM}${"━".repeat(2 * BAR - filled)}${PLAIN}  ${done}/${this.#init.pages} pages recorded`;
  }
}

/** Cuts to the width, not counting colours. */
function clip(row: string, width: number): string {
  let seen = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the colours themselves
  const parts = row.match(/\x1b\[[0-9;]*m|./gu) ?? [];
  return parts.filter((part) => part.startsWith("\x1b") || seen++ < width - 1).join("") + PLAIN;
}
