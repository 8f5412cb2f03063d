import { canonicalJson } from "./canonical-json.ts";
import type { LeasedItem } from "./peer-requests.ts";

/** What a leased task is and all that it starts from, as one text. */
export const startOf = ({ item, name, blob, parts = [] }: LeasedItem): string =>
  canonicalJson([item, name, blob, parts]);

/** Of two leases of one place: whether whoever runs it starts from the same. */
export const isSameStart = (one: LeasedItem, other: LeasedItem): boolean => startOf(one) === startOf(other);
