/**
 * Notes: small things that this box must still know after a restart, in a LevelDB of their own beside the journal. They are a
 * convenience to the fleet and no promise of it, so a damaged one is set aside and begun anew.
 */
export { openNotes } from "./notes.ts";
