import { chance } from "../../shared/chance.ts";

/** JSON lines of points around the corners of a square, a class each: the same ones for a seed. */
export function labelledLines(count: number, seed: number, spread = 1): string[] {
  const random = chance(seed);
  return Array.from({ length: count }, (_, i) => {
    const corner = i % 4;
    const around = (centre: number): number => centre + spread * (random() + random() - 1);
    const vector = [around(corner & 1), around(corner >> 1), random()];
    return JSON.stringify({ label: ["north", "east", "south", "west"][corner], vector });
  });
}
