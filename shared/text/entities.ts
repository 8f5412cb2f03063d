/** Names in a row of labelled words: the operator text/entities@1, and whoever measures a tagger. */

export interface Entity {
  label: string;
  /** Places of its words; `to` is the first after it. */
  from: number;
  to: number;
}

/**
 * Labels as in IOB2: `O`, `B-ORG` where a name begins, `I-ORG` where it goes on. An I that goes on nothing, or another kind,
 * begins a name, as conlleval has it (Tjong Kim Sang and Buchholz 2000).
 */
export function entitiesOf(labels: readonly string[]): Entity[] {
  const entities: Entity[] = [];
  let open: Entity | undefined;
  for (const [place, written] of labels.entries()) {
    const [, begins, label] = written.match(/^([BI])-(.+)$/) ?? [];
    if (label === undefined || begins === "B" || open?.label !== label) {
      open = undefined;
      if (label !== undefined) {
        open = { label, from: place, to: place + 1 };
        entities.push(open);
      }
    } else open.to = place + 1;
  }
  return entities;
}
