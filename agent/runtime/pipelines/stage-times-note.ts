import { SkeinError } from "../../../shared/errors.ts";
import { checkStageTimes, type StageTime } from "../../../shared/stage-time.ts";
import type { Surroundings } from "../surroundings.ts";
import type { StageTimes } from "./stage-times.ts";

const NOTE_KEY = "stageTimes";
/** They are noted anew when one has moved so far, and so long after the last time: flash wears out. */
const CHANGE = 0.1;
const NOTED_MS = 60_000;

/** What the stages of pipelines cost here, kept over a restart in one note, as many as are told to others. */
export class StageTimesNote {
  readonly #world: Surroundings;
  readonly #times: StageTimes;
  #noted: readonly StageTime[] = [];
  #notedAtMs = Number.NEGATIVE_INFINITY;
  #isWriting = false;

  constructor(world: Surroundings, times: StageTimes) {
    this.#world = world;
    this.#times = times;
  }

  /** Takes up what an earlier life measured with as many executors: with others the stages get in one another's way otherwise. */
  async recall(): Promise<void> {
    const { notes, engine, telemetry } = this.#world;
    const note = (await notes.list(NOTE_KEY)).get(NOTE_KEY);
    if (!note) return;
    try {
      const { executors, times } = JSON.parse(new TextDecoder().decode(note)) as Record<string, unknown>;
      if (executors !== engine.executors) return;
      this.#noted = checkStageTimes(times);
      this.#times.recall(this.#noted);
    } catch (error) {
      // The next time that they are noted it is overwritten.
      telemetry.log("warn", "noteDropped", { key: NOTE_KEY, reason: SkeinError.from(error).message });
    }
  }

  /** To be called now and then. */
  async look(): Promise<void> {
    const { clock, notes, engine, telemetry } = this.#world;
    if (this.#isWriting || clock.monotonicMs() - this.#notedAtMs < NOTED_MS) return;
    const times = this.#times.all();
    if (!haveMoved(this.#noted, times)) return;
    this.#isWriting = true;
    this.#notedAtMs = clock.monotonicMs();
    try {
      const value = new TextEncoder().encode(JSON.stringify({ executors: engine.executors, times }));
      await notes.write([{ key: NOTE_KEY, value }]);
      this.#noted = times;
    } catch (error) {
      telemetry.log("warn", "notesUnwritten", { reason: SkeinError.from(error).message });
    } finally {
      this.#isWriting = false;
    }
  }
}

/** Some are new, or take another time. */
function haveMoved(before: readonly StageTime[], now: readonly StageTime[]): boolean {
  return now.some(({ pipeline, stage, seconds }) => {
    const known = before.find((one) => one.pipeline === pipeline && one.stage === stage);
    return known === undefined || Math.abs(seconds - known.seconds) > CHANGE * known.seconds;
  });
}
