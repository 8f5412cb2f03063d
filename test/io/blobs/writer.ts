/** Puts blobs in the folder given, several at a time, and prints the hash of each acknowledged one. Ends by being killed. */
import { randomBytes } from "node:crypto";
import { writeSync } from "node:fs";
import { openBlobs } from "../../../agent/io/blobs/index.ts";

const blobs = await openBlobs(process.argv[2]!, { telemetry: { log: () => {} } });
await Promise.all(
  Array.from({ length: 3 }, async () => {
    for (let size = 1000; ; size = (size * 7) % 1_000_003) {
      const { hash } = await blobs.put(randomBytes(size));
      // Written at once, so that whoever reads it knows that it was acknowledged before the kill.
      writeSync(1, `${hash}\n`);
    }
  }),
);
