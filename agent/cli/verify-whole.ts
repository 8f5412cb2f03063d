import type { VerifyPage, VerifyRequest } from "../../shared/verification.ts";

/** All pages of a verification as one; `onPage` hears how many items are verified while more are to come. */
export async function verifyWhole(
  ask: (request: VerifyRequest) => Promise<VerifyPage>,
  recompute = 0,
  onPage: (itemsVerified: number) => void = () => {},
): Promise<VerifyPage> {
  let whole: VerifyPage | undefined;
  let fromItem: number | undefined = 0;
  let left = recompute;
  while (fromItem !== undefined) {
    const page: VerifyPage = await ask({ fromItem, recompute: left });
    whole = whole ? joined(whole, page) : page;
    left -= page.recomputed + page.faults.filter(({ what }) => what.startsWith("recompute")).length;
    fromItem = page.nextItem;
    if (fromItem !== undefined) onPage(whole.itemsVerified);
  }
  return whole!;
}

const SUMS = ["itemsVerified", "copiesSound", "bytesRead", "signaturesValid", "recomputed", "recomputedAlike"] as const;

function joined(whole: VerifyPage, page: VerifyPage): VerifyPage {
  const sums = Object.fromEntries(SUMS.map((sum) => [sum, whole[sum] + page[sum]])) as Pick<
    VerifyPage,
    (typeof SUMS)[number]
  >;
  // A node that does not answer is told once, whatever it holds.
  const fresh = page.faults.filter(
    ({ what, node }) =>
      what !== "holderSilent" || !whole.faults.some((known) => known.what === what && known.node === node),
  );
  return { jobId: whole.jobId, ...sums, faults: [...whole.faults, ...fresh] };
}
