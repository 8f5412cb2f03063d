/** Appends to the journal in the folder given, several at a time, and prints each acknowledged index. Ends by being killed. */
import { writeSync } from "node:fs";
import { openJournal } from "../../../agent/io/journal/index.ts";

const journal = await openJournal(process.argv[2]!, { telemetry: { log: () => {} } });
const before = await journal.load();
const term = before.hardState.term + 1;
let index = before.entries.length;

async function appendNext(): Promise<void> {
  index += 1;
  const mine = index;
  const data = new Uint8Array(50 + ((mine * 977) % 5000)).fill(mine % 256);
  await journal.append({
    entries: [{ index: mine, term, kind: "normal", data }],
    hardState: { term, vote: "", commit: mine },
  });
  // Written at once, so that whoever reads it knows that it was acknowledged before the kill.
  writeSync(1, `${mine}\n`);
}

await Promise.all(
  Array.from({ length: 4 }, async () => {
    for (;;) await appendNext();
  }),
);
