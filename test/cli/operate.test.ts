import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { markLeft } from "../../agent/cli/home.ts";
import { describeRecovery } from "../../agent/cli/recover.ts";
import { SkeinError } from "../../shared/errors.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { NODE_IDS } from "../support/pretend-face.ts";
import { pretendWorld, skein } from "../support/pretend-world.ts";
import { temporaryFolder } from "../support/temporary.ts";

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());

const api = (): string[] => ["--api", pretend.api.url];
/** As the agent does once it has left. */
function stopsWhenAsked(): void {
  pretend.face.requestStop = () => {
    pretend.face.stopRequested = true;
    setTimeout(() => void pretend.api.stop(), 20);
  };
}

describe("transfer-leader", () => {
  test("says who leads now, to the one that is named or to the best", async () => {
    const { face } = pretend;
    expect(await skein(["transfer-leader", "cellar", ...api()])).toMatchObject({
      code: 0,
      out: "cellar leads, in term 8.\n",
    });
    expect((await skein(["transfer-leader", "--json", ...api()])).out).toBe(
      `${JSON.stringify({ leader: NODE_IDS[0], term: 8 }, null, 2)}\n`,
    );
    expect(face.calls).toEqual(["transferLeader cellar", "transferLeader undefined"]);
  });

  test("bears an election, and ends with the table's code for each way it fails", async () => {
    pretend.face.failures.transferLeader = [
      new SkeinError("NO_LEADER"),
      new SkeinError("HANDOVER_FAILED", { reason: "cellar is no voter", leader: "bench" }),
    ];
    const failed = await skein(["transfer-leader", "cellar", ...api()]);
    expect(failed.code).toBe(1);
    expect(failed.err).toBe(
      "skein: The leadership was not handed over: cellar is no voter. Nothing is lost: bench leads on.\n",
    );
    expect((await skein(["transfer-leader", "nobody", ...api()])).code).toBe(3);
  });
});

describe("label", () => {
  test("says something of a node, changes it, takes it back, and leaves the rest as it was", async () => {
    const { face } = pretend;
    const label = async (...args: string[]) => (await skein(["label", "cellar", ...args, ...api()])).out;
    expect(await label("zone=garage", "power=battery")).toBe("cellar: power=battery zone=garage\n");
    expect(await label("zone=attic")).toBe("cellar: power=battery zone=attic\n");
    expect((await skein(["nodes", ...api()])).out).toMatch(
      /LINK {2}LABELS\n.* -\n.* -\n.* power=battery zone=attic\n$/,
    );
    expect(await label("power-", "zone-", "never-said-")).toBe("cellar: no labels\n");
    expect(face.calls.at(-1)).toBe(`labelNode ${NODE_IDS[2]} {}`);
  });

  test.each([["zone"], ["=garage"], ["-"], ["Zone=garage"], ["zone="], ["zone=in the garage"], ["zone=a=b"]])(
    "%s is refused",
    async (change) => {
      expect((await skein(["label", "cellar", change, ...api()])).code).toBe(2);
      expect(pretend.face.calls).toEqual([]);
    },
  );

  test("a node that is not there is not found", async () => {
    expect((await skein(["label", "nobody", "zone=garage", ...api()])).code).toBe(3);
  });
});

describe("drain", () => {
  test("waits until nothing runs there, telling how far it is, and says that the box may be switched off", async () => {
    pretend.face.itemsAtWork = [3, 3, 1, 0];
    const { code, out, err } = await skein(["drain", "cellar", ...api()]);
    expect(code).toBe(0);
    expect(out).toBe("Nothing runs on cellar: it may be switched off. `skein drain cellar --undo` takes it back.\n");
    expect(err.split("\n")).toEqual([
      "cellar gets no new work; 3 items at work",
      "cellar gets no new work; 1 item at work",
      "cellar gets no new work; 0 items at work",
      "",
    ]);
  });

  test("means this box if none is named, and is taken back with --undo", async () => {
    expect((await skein(["drain", ...api()])).out).toContain("Nothing runs on attic");
    expect((await skein(["drain", "--undo", ...api()])).out).toBe("attic takes part in full again.\n");
    expect(pretend.face.calls).toEqual([`drainNode ${NODE_IDS[0]} true`, `drainNode ${NODE_IDS[0]} false`]);
  });

  test("waits for the leadership to move away, too", async () => {
    const { face } = pretend;
    const asked = face.drainNode.bind(face);
    face.drainNode = async (node, drained) => {
      const view = await asked(node, drained);
      face.leader = NODE_IDS[0]!;
      return view;
    };
    const { out, err } = await skein(["drain", "bench", ...api()]);
    expect(err).toContain("bench gets no new work; 0 items at work, and it leads\n");
    expect(out).toContain("Nothing runs on bench: it may be switched off.");
  });

  test("is shown by nodes and status", async () => {
    await skein(["drain", "cellar", ...api()]);
    expect((await skein(["nodes", ...api()])).out).toMatch(/^cellar +cccccc +voter, drained +late/m);
    expect((await skein(["status", ...api()])).out).toContain("\ndrained    cellar\n");
  });

  test("prints what it came to as JSON, and an unknown node is not found", async () => {
    expect(JSON.parse((await skein(["drain", "cellar", "--json", ...api()])).out)).toMatchObject({
      nodeId: NODE_IDS[2],
      drained: true,
      itemsAtWork: 0,
    });
    expect((await skein(["drain", "nobody", ...api()])).code).toBe(3);
  });
});

test("a box that is drained and away is not said to be empty", async () => {
  const { face } = pretend;
  const asked = face.drainNode.bind(face);
  face.drainNode = async (node, drained) => ({ ...(await asked(node, drained)), isReachable: false });
  expect((await skein(["drain", "cellar", ...api()])).out).toBe(
    "cellar is drained. It cannot be reached; its work is done elsewhere. `skein drain cellar --undo` takes it back.\n",
  );
});

describe("leave", () => {
  test("waits for work and copies, tells of it, and ends when the agent is gone", async () => {
    stopsWhenAsked();
    pretend.face.itemsAtWork = [2, 0];
    const { code, out, err } = await skein(["leave", ...api()]);
    expect([code, out]).toEqual([0, 'This box has left fleet "home", and its agent has stopped.\n']);
    expect(err).toBe("2 items at work here, 2 blobs to be copied elsewhere first\n");
    expect(pretend.face.calls).toEqual(["leave false", "leave false"]);
  });

  test("with --force says what had too few copies, and where it still is", async () => {
    stopsWhenAsked();
    pretend.face.itemsAtWork = [2];
    const { out } = await skein(["leave", "--force", "--data", "/var/lib/skein", ...api()]);
    expect(out).toBe(
      'This box has left fleet "home", and its agent has stopped.\n' +
        "2 inputs and results had too few copies elsewhere: 1 of them can be read nowhere else now; their files are still in /var/lib/skein/blobs.\n",
    );
  });

  test("asks one agent only, also when several are named", async () => {
    stopsWhenAsked();
    const other = await startPretendApi();
    await skein(["leave", ...api(), "--api", other.api.url]);
    expect(other.face.calls).toEqual([]);
    await other.api.stop();
  });

  test("prints what it came to as JSON", async () => {
    stopsWhenAsked();
    const { out } = await skein(["leave", "--json", ...api()]);
    expect(JSON.parse(out)).toMatchObject({ state: "left", nodeId: NODE_IDS[0], copiesOwed: 0 });
  });

  test("is refused with the reason", async () => {
    pretend.face.failures.leave = [new SkeinError("LEAVE_REFUSED", { reason: "it is the only voter" })];
    const { code, err } = await skein(["leave", ...api()]);
    expect([code, err]).toEqual([1, "skein: This box cannot leave now: it is the only voter.\n"]);
  });

  test("leaves a folder that neither starts, joins nor founds again, and says why", async () => {
    const data = join(temporaryFolder(), "data");
    expect((await skein(["init", "--name", "attic", "--data", data])).code).toBe(0);
    await markLeft(data, "home");
    for (const argv of [["start"], ["join", "skein1-abc"], ["init"]]) {
      const { code, err } = await skein([...argv, "--data", data]);
      expect(code).toBe(4);
      expect(err).toMatch(/^skein: This box left the fleet home at 20\d\d-.*its id is spent.*move .*data away/);
    }
    writeFileSync(join(data, "left.json"), "{");
    expect(await skein(["start", "--data", data])).toMatchObject({ code: 2 });
  });
});

describe("recover", () => {
  test("tells who is there, who is not, and what may be lost, and does nothing before the fleet's name is typed", async () => {
    const asked: string[] = [];
    const world = pretendWorld({
      ask: async (question) => {
        asked.push(question);
        return "house";
      },
    });
    const { code, out, err } = await skein(["recover", ...api()], world);
    expect(out).toMatchInlineSnapshot(`
      "REACHABLE  PART   LAST ENTRY  OF TERM  COMMITTED  LEADS
      attic *    voter         120        7        118  no

      MISSING  PART   LAST HEARD
      bench    voter  3 min 20 s ago
      cellar   voter  not since this agent started

      The log of attic goes furthest, so the fleet would go on from there. Nothing that a reachable box knows to be committed is lost.

      What may be lost:
        entries above 120: whatever was agreed after it was known to the missing boxes alone; how much that is cannot be known
        what missing boxes alone hold, by this box's ledger up to entry 118:
          job-0001: 2 results (items 0, 3)
          job-0001: 1 input not computed yet (item 4)

      If a missing box comes back later it is refused: it must be wiped and join as a new one. Should the missing boxes still
      run somewhere and see one another, they go on as a fleet of their own, and the two never become one again. Be sure that
      they are gone.

      "
    `);
    expect(asked).toEqual(["Type the fleet's name to go on without bench, cellar: "]);
    expect([code, err]).toEqual([2, 'Nothing was done: the fleet is called "home".\n']);
    expect(pretend.face.calls).toEqual(["recoveryView "]);
  });

  test("says so when the box it goes on from is a learner, and when nothing that is known of is lost", async () => {
    const view = await pretend.face.recoveryView();
    const [attic] = view.survivors;
    const text = describeRecovery({ ...view, losses: [], survivors: [{ ...attic!, role: "learner" }] });
    expect(text).toContain("It is a learner and never counted; that does not matter for this.");
    expect(text).toContain("by this box's ledger up to entry 118: nothing\n");
    expect(describeRecovery({ ...view, missing: [] })).toContain("Nobody is missing.\n");
  });

  test("goes on without the missing once the name is typed, or given with --yes", async () => {
    const typed = await skein(["recover", ...api()], pretendWorld({ ask: async () => "home" }));
    expect(typed.code).toBe(0);
    expect(typed.out).toContain("The fleet goes on from this box's log, in term 1000007, without bench, cellar.");
    const given = await skein(["recover", "--yes", "home", "--json", ...api()]);
    expect(JSON.parse(given.out)).toMatchObject({
      view: { fleetName: "home" },
      answer: { removed: [NODE_IDS[1], NODE_IDS[2]], atIndex: 122 },
    });
    expect(pretend.face.calls.filter((call) => call === "recover home 2")).toHaveLength(2);
  });

  test("says how to say it where nobody can type, and only shows with --json alone", async () => {
    const silent = await skein(["recover", ...api()]);
    expect([silent.code, silent.err]).toEqual([2, 'Nothing was done. Without a terminal, say it with --yes "home".\n']);
    const shown = await skein(["recover", "--json", ...api()]);
    expect(shown.code).toBe(0);
    expect(JSON.parse(shown.out)).toEqual(await pretend.face.recoveryView());
    expect(pretend.face.calls).not.toContain("recover home 2");
  });

  test("is refused with the reason, under whatever name", async () => {
    pretend.face.recoveryRefusal = new SkeinError("RECOVERY_REFUSED", {
      reason: "the log of dock goes further than this box's; run it there",
    });
    const { code, err } = await skein(["recover", "--yes", "home", ...api()]);
    expect([code, err]).toEqual([
      1,
      "skein: The fleet is not recovered: the log of dock goes further than this box's; run it there.\n",
    ]);
    const json = await skein(["recover", "--yes", "home", "--json", ...api()]);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.out).refusal.code).toBe("RECOVERY_REFUSED");
    expect(pretend.face.calls).toEqual(["recoveryView ", "recoveryView "]);
  });
});
