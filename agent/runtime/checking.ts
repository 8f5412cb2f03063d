import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash } from "../../shared/ids.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import type { Answer } from "../../shared/peer-requests.ts";
import type { BlobAccess } from "./blob-access.ts";
import type { Peers } from "./peers.ts";
import type { ResultSigner } from "./proof.ts";
import type { Surroundings } from "./surroundings.ts";

export interface CheckingInit {
  peers: Peers;
  blobAccess: BlobAccess;
  signer: ResultSigner;
  /** Has the engine know a pipeline of stages. */
  ready: (pipeline: string) => Promise<unknown>;
}

/** What a node does when others verify: reads its own copies back, and computes an item again. One of each at a time. */
export function answerVerifications(world: Surroundings, { peers, blobAccess, signer, ready }: CheckingInit): void {
  const checks = new Queue(peers, LIMITS.checksWaitingMax);
  const recomputes = new Queue(peers, LIMITS.recomputesWaitingMax);
  peers.answer("check", (_from, { blobs }) => checks.add(() => check(world, blobs)));
  peers.answer("recompute", (_from, { pipeline, name, blob, from }) =>
    recomputes.add(async () => {
      const input = await blobAccess.read(blob, from);
      await ready(pipeline);
      const { output } = await world.engine.run({ pipeline, name, input, deadlineMs: TIMING.recomputeDeadlineMs });
      const madeWith = signer.digestOf(pipeline);
      return {
        output: world.sha256(output),
        inline: output.length <= LIMITS.recomputeInlineBytesMax ? output : new Uint8Array(),
        ...(madeWith && { madeWith }),
      };
    }),
  );
}

async function check({ blobs }: Surroundings, hashes: readonly BlobHash[]): Promise<Answer<"check">> {
  const answer: Answer<"check"> = { sound: [], damaged: [], missing: [] };
  for (const hash of hashes) {
    const isHere = (await blobs.size(hash)) !== undefined;
    const state = !isHere ? "missing" : (await blobs.verify(hash)) ? "sound" : "damaged";
    answer[state].push(hash);
  }
  return answer;
}

/** One after the other, and no more waiting than a caller would wait for. */
class Queue {
  readonly #peers: Peers;
  readonly #waitingMax: number;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(peers: Peers, waitingMax: number) {
    this.#peers = peers;
    this.#waitingMax = waitingMax;
  }

  /** @throws PEER_BUSY */
  async add<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#waitingMax)
      throw new SkeinError("PEER_BUSY", { peer: this.#peers.self, reason: "it verifies for others already" });
    this.#waiting++;
    const done = this.#last.then(work, work).finally(() => this.#waiting--);
    this.#last = done.catch(() => {});
    return done;
  }
}
