/** Which areas of a site people visited: the data, and who of them is learned from, chosen with, and tested on. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

export interface Visits {
  /** Addresses of the areas; those that most of the people of `train` visited first. */
  pages: string[];
  /** By person, places in `pages`; in the order of the file, which is that of their first visits. */
  train: number[][];
  /** What models are chosen with. */
  choice: number[][];
  /** People that nothing was learned from or chosen with. */
  test: number[][];
}

/** The UCI Machine Learning Repository's "Anonymous Microsoft Web Data", as it came: see DATA.md. One in five is tested on, one in ten chosen with. */
export function readVisits(): Visits {
  const file = new URL("data/anonymous-msweb.data.gz", import.meta.url);
  const { addresses, people } = parsed(gunzipSync(readFileSync(file)).toString("latin1"));
  const part = (wanted: (n: number) => boolean): number[][] => people.filter((_, i) => wanted(i % 10));
  const train = part((n) => n > 2);
  const counts = new Map([...addresses.keys()].map((id) => [id, 0]));
  for (const id of train.flat()) counts.set(id, counts.get(id)! + 1);
  const order = [...addresses.keys()].sort((a, b) => counts.get(b)! - counts.get(a)! || a - b);
  const places = new Map(order.map((id, place) => [id, place]));
  const placed = (all: number[][]): number[][] => all.map((ids) => ids.map((id) => places.get(id)!));
  const pages = order.map((id) => addresses.get(id)!);
  return { pages, train: placed(train), choice: placed(part((n) => n === 2)), test: placed(part((n) => n < 2)) };
}

/** Lines `A,<area>,1,"<title>","<address>"`, then for each person `C,"<n>",<n>` and `V,<area>,1` for each visit. */
function parsed(text: string): { addresses: Map<number, string>; people: number[][] } {
  const addresses = new Map<number, string>();
  const people: number[][] = [];
  for (const line of text.split(/\r?\n/)) {
    const [, id, address] = line.match(/^A,(\d+),1,".*","(.*)"$/) ?? [];
    if (id !== undefined) addresses.set(Number(id), address!);
    else if (line.startsWith("C,")) people.push([]);
    else if (line.startsWith("V,")) people.at(-1)!.push(Number(line.split(",")[1]));
  }
  return { addresses, people };
}

export interface Scores {
  /** Of all visits left out, those that are among the ten recommended from the person's other visits: with one left out at a time, recall@10 and hit rate@10 are this. */
  hits: number;
  /** Mean of one over the place in the ranking; 0 behind the tenth. */
  reciprocal: number;
  visits: number;
}

/** Each visit of each person with two or more is left out once. */
export function scored(people: readonly number[][], topTen: (visited: readonly number[]) => readonly number[]): Scores {
  const total = { hits: 0, reciprocal: 0, visits: 0 };
  for (const person of people)
    for (const left of person.length < 2 ? [] : person) {
      const place = topTen(person.filter((page) => page !== left)).indexOf(left);
      total.visits++;
      if (place < 0) continue;
      total.hits++;
      total.reciprocal += 1 / (place + 1);
    }
  const { hits, reciprocal, visits } = total;
  return { hits: hits / visits, reciprocal: reciprocal / visits, visits };
}

/** The baseline: what most people visited, but for what this one has. */
export const mostVisited = (visited: readonly number[]): number[] =>
  Array.from({ length: 10 + visited.length }, (_, page) => page)
    .filter((page) => !visited.includes(page))
    .slice(0, 10);
