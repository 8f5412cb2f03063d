/**
 * The drill's judgement: whom a fault may fall on and when it must not be made, and what the measurements say of it. Knows
 * boxes and moments, and neither how a fault is made nor how it is watched.
 */
export { type Checked, judgeFault, skippedFault } from "./judge.ts";
export { type Happened, measureFault } from "./measure.ts";
export { type Choice, chooseVictim, type DrillBox, type DrillFleet, whyNotUnplug } from "./victim.ts";
