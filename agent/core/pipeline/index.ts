/**
 * Whether the items of a job of a pipeline go whole to one node each or stage by stage over several, and how it is cut then.
 * Which file decides what: `cut`, which stages stay together; `form`, the choice, the size of tasks and the copies of what is
 * between them; `foretell`, how long a form takes, by `heft` (one schedule) and `steady-rate` (many items).
 */
export type { FormFacts, FormNode } from "./facts.ts";
export { type ChosenForm, formOf, wholeForm } from "./form.ts";
