import type { Cancel } from "../../../agent/ports/index.ts";
import { seededRandomness } from "../../support/virtual-clock.ts";
import type { SimFleet } from "./sim-fleet.ts";

/** Between two looks at whether the fleet wants more. */
const PAUSE_MS = 500;
/** As much work as a fleet of healthy boxes does in so long is handed in ahead. */
const AHEAD_SECONDS = 6;
/** What a fleet is given at least, so that it has several jobs at a time. */
const ITEMS_AHEAD_MIN = 20;

/** How many items a job has, and how often of a hundred. */
const SIZES: { percent: number; items: [min: number, max: number]; jobs: number }[] = [
  { percent: 60, items: [1, 4], jobs: 1 },
  { percent: 25, items: [5, 30], jobs: 1 },
  { percent: 5, items: [60, 200], jobs: 1 },
  // Many small jobs at once, as a program makes them that hands in each page by itself.
  { percent: 9, items: [1, 2], jobs: 20 },
  { percent: 1, items: [0, 0], jobs: 1 },
];

/** Clients that hand in jobs through any box, so that there is always work. */
export class Traffic {
  readonly #fleet: SimFleet;
  /** Of its own, so that it does not move the storm's chance. */
  readonly #random: ReturnType<typeof seededRandomness>;
  readonly #itemsAhead: number;
  #items = 0;
  #stop: Cancel = () => {};

  constructor(fleet: SimFleet) {
    this.#fleet = fleet;
    this.#random = seededRandomness(fleet.seed + 2);
    const perSecond = fleet.nodes.reduce((sum, node) => sum + node.executors / node.secondsPerItem, 0);
    this.#itemsAhead = Math.max(ITEMS_AHEAD_MIN, AHEAD_SECONDS * perSecond);
  }

  start(): void {
    this.#stop = this.#fleet.clock.every(PAUSE_MS, () => this.#handIn());
  }

  stop(): void {
    this.#stop();
  }

  /** Counts what was recorded by the checks, not what a box says: boxes are cut off and know less. */
  #handIn(): void {
    const { nodes, checks } = this.#fleet;
    let room = this.#itemsAhead - (this.#items - checks.itemsRecorded);
    while (room > 0) {
      const { items, jobs } = this.#drawSize();
      for (let job = 0; job < jobs; job++) {
        const node = nodes[this.#draw(0, nodes.length - 1)]!;
        const count = this.#draw(...items);
        room -= count + 1;
        void this.#fleet.handIn(node, count).then((jobId) => {
          if (jobId !== undefined) this.#items += count;
        });
      }
    }
  }

  #drawSize(): (typeof SIZES)[number] {
    let left = this.#draw(0, 99);
    for (const size of SIZES) {
      if (left < size.percent) return size;
      left -= size.percent;
    }
    return SIZES[0]!;
  }

  #draw(min: number, max: number): number {
    return min + Math.floor((max - min + 1) * this.#random.random());
  }
}
