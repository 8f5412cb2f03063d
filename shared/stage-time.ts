import { checkList, checkNumber, checkRecord, checkText, checkWhole } from "./checks.ts";
import { LIMITS } from "./limits.ts";

/** What a node measured of a stage of a pipeline. */
export interface StageTime {
  /** `name:version`. */
  pipeline: string;
  /** Its place. */
  stage: number;
  /** Of one executor, for one run: an item, or an element of the list that it runs over. */
  seconds: number;
  /** Of what one run gives. */
  outputBytes: number;
  /** Usual length of the lists that it makes and others run over; absent where none do. */
  elements?: number;
}

/** @throws BAD_REQUEST */
export const checkStageTimes = (value: unknown): StageTime[] =>
  checkList(value ?? [], "stageTimes", LIMITS.stageTimesToldMax, (one, path): StageTime => {
    const time = checkRecord(one, path);
    const { elements } = time;
    return {
      pipeline: checkText(time.pipeline, `${path}.pipeline`, LIMITS.nameBytesMax),
      stage: checkWhole(time.stage, `${path}.stage`, 0, LIMITS.pipelineStagesMax - 1),
      seconds: checkNumber(time.seconds, `${path}.seconds`, 0, 1e6),
      outputBytes: checkNumber(time.outputBytes, `${path}.outputBytes`, 0, 1e12),
      ...(elements !== undefined &&
        elements !== null && { elements: checkNumber(elements, `${path}.elements`, 0, LIMITS.fanOutMax) }),
    };
  });
