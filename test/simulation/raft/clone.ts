/** A copy of a world, so that a search can go on from one state in many directions. */

/**
 * Instances of classes, arrays and maps are copied all the way down. A plain object is copied in its own fields only,
 * and shared where it is an item of an array: messages, entries and the like are replaced here, never changed in place.
 */
export function cloneWorld<T extends object>(world: T): T {
  return cloneInstance(world, new Map()) as T;
}

function cloneInstance(value: object, done: Map<object, object>): object {
  const known = done.get(value);
  if (known) return known;
  const copy = Object.create(Object.getPrototypeOf(value)) as Record<string, unknown>;
  done.set(value, copy);
  for (const key of Object.keys(value)) copy[key] = cloneValue((value as Record<string, unknown>)[key], done);
  return copy;
}

const isPlain = (value: object): boolean => Object.getPrototypeOf(value) === Object.prototype;

function cloneValue(value: unknown, done: Map<object, object>): unknown {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((item) => (isData(item) ? item : cloneValue(item, done)));
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, cloneValue(item, done)]));
  return isPlain(value) ? { ...value } : cloneInstance(value, done);
}

const isData = (item: unknown): boolean => typeof item !== "object" || item === null || isPlain(item);
