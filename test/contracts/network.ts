/** What every PeerNetwork does, the real one and the simulator's: one suite, run on both. */
import { afterEach, expect, test } from "vitest";
import type { LinkListener, PeerNetwork, Welcome } from "../../agent/ports/index.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { LinkView, RosterNode } from "../../shared/fleet.ts";
import type { BlobHash, FleetId, InviteId, NodeId } from "../../shared/ids.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";

/** Where members of one fleet live, and how its time passes. */
export interface NetworkWorld {
  /** A started member of the fleet that admits nobody yet. */
  member(): Promise<PeerNetwork>;
  /** Takes a member away without a word of farewell; its peers notice at once. */
  kill(member: PeerNetwork): Promise<void>;
  /** Lets time pass until the promise settles. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Lets time pass until the condition holds; fails after `withinMs`. */
  until(condition: () => boolean, withinMs?: number): Promise<void>;
  /** Lets that much time pass. */
  pass(ms: number): Promise<void>;
  /** A stranger's knock at an open door. */
  knock(addresses: string[], name: string, secret: string): Promise<Welcome>;
  close(): Promise<void>;
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const read = (message: Uint8Array): string => new TextDecoder().decode(message);
const HASH = "ab".repeat(32) as BlobHash;

const rosterOf = (members: readonly PeerNetwork[]): RosterNode[] =>
  members.map((member, i) => ({
    nodeId: member.self,
    name: `node-${i}`,
    addresses: member.addresses(),
    admittedAtIndex: i + 1,
  }));

const stateOf = (member: PeerNetwork, peer: PeerNetwork): LinkView["state"] | undefined =>
  member.links().find(({ nodeId }) => nodeId === peer.self)?.state;

export async function meet(world: NetworkWorld, members: readonly PeerNetwork[]): Promise<void> {
  for (const member of members) member.admit(rosterOf(members));
  await world.until(() =>
    members.every((member) => members.every((peer) => peer === member || stateOf(member, peer) === "up")),
  );
}

async function* chunksOf(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.byteLength; at += size) yield content.subarray(at, at + size);
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error) => (error instanceof SkeinError ? error.code : `not a SkeinError: ${error}`),
  );

export function networkContract(makeWorld: () => Promise<NetworkWorld>): void {
  let open: NetworkWorld | undefined;
  afterEach(async () => {
    await open?.close();
    open = undefined;
  });
  const fleet = async (size: number): Promise<{ world: NetworkWorld; members: PeerNetwork[] }> => {
    const world = await makeWorld();
    open = world;
    const members: PeerNetwork[] = [];
    for (let i = 0; i < size; i++) members.push(await world.member());
    await meet(world, members);
    return { world, members };
  };
  const pair = async () => {
    const { world, members } = await fleet(2);
    return { world, a: members[0]!, b: members[1]! };
  };

  test("members that admit each other come to be linked, each told once", async () => {
    const world = await makeWorld();
    open = world;
    const [a, b] = [await world.member(), await world.member()];
    const heard: string[] = [];
    a.onLink((link) => heard.push(`${link.nodeId === b.self} ${link.state}`));
    await meet(world, [a, b]);
    expect(heard).toEqual(["true up"]);
    await world.until(() => a.links()[0]?.rttMs !== undefined);
  });

  test("a network lists a link for each other node of the roster and none for itself", async () => {
    const { members } = await fleet(3);
    expect(members[0]!.links().map(({ nodeId }) => nodeId)).toEqual([members[1]!.self, members[2]!.self]);
  });

  test("consensus messages arrive whole, in order, from the one who sent them", async () => {
    const { world, a, b } = await pair();
    const heard: [NodeId, number][] = [];
    b.onConsensus((from, message) => heard.push([from, message.byteLength]));
    const sizes = Array.from({ length: 40 }, (_, i) => 1 + ((i * 7919) % 70_000));
    for (const size of sizes) expect(a.sendConsensus(b.self, new Uint8Array(size))).toBe(true);
    await world.until(() => heard.length === sizes.length);
    expect(heard).toEqual(sizes.map((size) => [a.self, size]));
  });

  test("a consensus message over the frame limit, or to a node without a link, is dropped and said so", async () => {
    const { world, a, b } = await pair();
    expect(a.sendConsensus(b.self, new Uint8Array(LIMITS.frameBytesMax + 1))).toBe(false);
    expect(a.sendConsensus(a.self, bytes(1))).toBe(false);
    const heard: Uint8Array[] = [];
    b.onConsensus((_, message) => heard.push(message));
    a.sendConsensus(b.self, bytes(7));
    await world.until(() => heard.length > 0);
    expect([...heard[0]!]).toEqual([7]);
  });

  test("a lane refuses more than its queue holds, and works again once that is sent", async () => {
    const { world, a, b } = await pair();
    let heard = 0;
    b.onConsensus(() => heard++);
    const frame = new Uint8Array(512 * 1024);
    let sent = 0;
    while (a.sendConsensus(b.self, frame)) sent++;
    expect(sent * frame.byteLength).toBeLessThanOrEqual(LIMITS.laneQueueBytesMax);
    await world.until(() => heard === sent);
    expect(a.sendConsensus(b.self, frame)).toBe(true);
    await world.until(() => heard === sent + 1);
  });

  test("a request is answered with what the peer's answer returned", async () => {
    const { world, a, b } = await pair();
    b.onRequest("greet", async (from, body) => text(`${from === a.self} ${read(body)}`));
    const answers = await world.settle(
      Promise.all(["one", "two", "three"].map((word) => a.request(b.self, "greet", text(word)))),
    );
    expect(answers.map(read)).toEqual(["true one", "true two", "true three"]);
  });

  test("an empty request and an empty answer are carried", async () => {
    const { world, a, b } = await pair();
    b.onRequest("nothing", async (_, body) => body);
    expect((await world.settle(a.request(b.self, "nothing", new Uint8Array(0)))).byteLength).toBe(0);
  });

  test("what the peer's answer throws comes back with its code and facts", async () => {
    const { world, a, b } = await pair();
    b.onRequest("fail", async () => {
      throw new SkeinError("JOB_UNKNOWN", { jobId: "job-1" });
    });
    const error = await world.settle(a.request(b.self, "fail", bytes()).catch((thrown: unknown) => thrown));
    expect(error).toMatchObject({ code: "JOB_UNKNOWN", facts: { jobId: "job-1" } });
  });

  test("a request that no one answers says so", async () => {
    const { world, a, b } = await pair();
    expect(await world.settle(codeOf(a.request(b.self, "unheardOf", bytes())))).toBe("BAD_REQUEST");
  });

  test("a request ends at its deadline, and the late answer disturbs nothing", async () => {
    const { world, a, b } = await pair();
    let release = () => {};
    b.onRequest("slow", (_, body) => new Promise((resolve) => (release = () => resolve(body))));
    b.onRequest("quick", async (_, body) => body);
    expect(await world.settle(codeOf(a.request(b.self, "slow", bytes(1), { deadlineMs: 60 })))).toBe(
      "DEADLINE_EXCEEDED",
    );
    release();
    expect([...(await world.settle(a.request(b.self, "quick", bytes(2))))]).toEqual([2]);
  });

  test("a request can be given up", async () => {
    const { world, a, b } = await pair();
    b.onRequest("slow", () => new Promise(() => {}));
    const controller = new AbortController();
    const asked = a.request(b.self, "slow", bytes(), { signal: controller.signal });
    controller.abort(new Error("no longer wanted"));
    await expect(world.settle(asked)).rejects.toThrow("no longer wanted");
  });

  test("requests and answers over the frame limit are refused by name", async () => {
    const { world, a, b } = await pair();
    b.onRequest("big", async () => new Uint8Array(LIMITS.frameBytesMax + 1));
    expect(await world.settle(codeOf(a.request(b.self, "big", new Uint8Array(LIMITS.frameBytesMax + 1))))).toBe(
      "TOO_LARGE",
    );
    expect(await world.settle(codeOf(a.request(b.self, "big", bytes())))).toBe("TOO_LARGE");
  });

  test("more requests than may wait for one peer are refused, and the others are answered", async () => {
    const { world, a, b } = await pair();
    let release = () => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    b.onRequest("slow", async (_, body) => {
      await gate;
      return body;
    });
    const asked = Array.from({ length: LIMITS.requestsPerPeerMax }, () => a.request(b.self, "slow", bytes(1)));
    expect(await world.settle(codeOf(a.request(b.self, "slow", bytes(1))))).toBe("PEER_BUSY");
    release();
    expect((await world.settle(Promise.all(asked))).length).toBe(LIMITS.requestsPerPeerMax);
  });

  test("a node that is not linked cannot be asked", async () => {
    const { world, a } = await pair();
    const nobody = "12D3KooWBmwkafWE2fqfzS96VoTZgpGp6aJsF4N7QVGxEBtQ1b2c" as NodeId;
    expect(await world.settle(codeOf(a.request(nobody, "greet", bytes())))).toBe("PEER_UNREACHABLE");
    expect(await world.settle(codeOf(a.fetchBlob(nobody, HASH)))).toBe("PEER_UNREACHABLE");
  });

  test("a blob arrives whole, from the start or from an offset", async () => {
    const { world, a, b } = await pair();
    const content = Uint8Array.from({ length: 700_001 }, (_, i) => (i * 31) & 255);
    b.serveBlobs(async (hash, offset) =>
      hash === HASH ? { bytes: content.byteLength, chunks: chunksOf(content.subarray(offset), 300_000) } : undefined,
    );
    for (const offset of [0, 699_000, content.byteLength]) {
      const fetched = await world.settle(a.fetchBlob(b.self, HASH, { offset }));
      expect(fetched.bytes).toBe(content.byteLength);
      expect(Buffer.compare(await world.settle(collect(fetched.chunks)), content.subarray(offset))).toBe(0);
    }
  });

  test("a part of a blob arrives alone, also from a source that would give more", async () => {
    const { world, a, b } = await pair();
    const content = Uint8Array.from({ length: 700_001 }, (_, i) => (i * 31) & 255);
    const lengths: number[] = [];
    b.serveBlobs(async (_, offset, length) => {
      lengths.push(length);
      return { bytes: content.byteLength, chunks: chunksOf(content.subarray(offset), 100_000) };
    });
    for (const [offset, length] of [
      [0, 1],
      [5, 300_000],
      [699_000, 50_000],
    ] as const) {
      const fetched = await world.settle(a.fetchBlob(b.self, HASH, { offset, length }));
      expect(fetched.bytes).toBe(content.byteLength);
      const came = await world.settle(collect(fetched.chunks));
      expect(Buffer.compare(came, content.subarray(offset, offset + length))).toBe(0);
    }
    expect(lengths).toEqual([1, 300_000, 50_000]);
  });

  test("an empty blob arrives empty", async () => {
    const { world, a, b } = await pair();
    b.serveBlobs(async () => ({ bytes: 0, chunks: chunksOf(bytes(), 1) }));
    const fetched = await world.settle(a.fetchBlob(b.self, HASH));
    expect((await world.settle(collect(fetched.chunks))).byteLength).toBe(0);
  });

  test("a blob that is not there is missing, and a source's own error comes through", async () => {
    const { world, a, b } = await pair();
    expect(await world.settle(codeOf(a.fetchBlob(b.self, HASH)))).toBe("BLOB_MISSING");
    b.serveBlobs(async () => undefined);
    expect(await world.settle(codeOf(a.fetchBlob(b.self, HASH)))).toBe("BLOB_MISSING");
    b.serveBlobs(async () => {
      throw new SkeinError("DISK_FULL", { path: "/d", freeBytes: 1 });
    });
    expect(await world.settle(codeOf(a.fetchBlob(b.self, HASH)))).toBe("DISK_FULL");
  });

  test("a blob whose source fails half-way ends in PEER_UNREACHABLE, not in a short blob", async () => {
    const { world, a, b } = await pair();
    b.serveBlobs(async () => ({
      bytes: 1_000_000,
      chunks: (async function* () {
        yield new Uint8Array(400_000);
        throw new Error("the disk died");
      })(),
    }));
    const fetched = await world.settle(a.fetchBlob(b.self, HASH));
    expect(await world.settle(codeOf(collect(fetched.chunks)))).toBe("PEER_UNREACHABLE");
  });

  test("more fetches than may run at once wait for their turn, and all end", async () => {
    const { world, a, b } = await pair();
    let active = 0;
    let activeMax = 0;
    b.serveBlobs(async () => ({
      bytes: 50_000,
      chunks: (async function* () {
        activeMax = Math.max(activeMax, ++active);
        yield new Uint8Array(50_000);
        active--;
      })(),
    }));
    const fetches = Array.from({ length: 3 * LIMITS.bulkPerPeerMax }, async () =>
      collect((await a.fetchBlob(b.self, HASH)).chunks),
    );
    const blobs = await world.settle(Promise.all(fetches));
    expect(blobs.every(({ byteLength }) => byteLength === 50_000)).toBe(true);
    expect(activeMax).toBeLessThanOrEqual(LIMITS.bulkPerPeerMax);
  });

  test("a fetch can be given up, before it began and in the middle", async () => {
    const { world, a, b } = await pair();
    b.serveBlobs(async () => ({ bytes: 50_000_000, chunks: chunksOf(new Uint8Array(50_000_000), 256 * 1024) }));
    await expect(
      world.settle(a.fetchBlob(b.self, HASH, { signal: AbortSignal.abort(new Error("never mind")) })),
    ).rejects.toThrow("never mind");
    const controller = new AbortController();
    const fetched = await world.settle(a.fetchBlob(b.self, HASH, { signal: controller.signal }));
    const reading = collect(
      (async function* () {
        for await (const chunk of fetched.chunks) {
          yield chunk;
          controller.abort(new Error("enough"));
        }
      })(),
    );
    await expect(world.settle(reading)).rejects.toThrow("enough");
  });

  test("readers that leave early, or never come, give their turn back", async () => {
    const { world, a, b } = await pair();
    b.serveBlobs(async () => ({ bytes: 20_000_000, chunks: chunksOf(new Uint8Array(20_000_000), 256 * 1024) }));
    for (let i = 0; i < 2 * LIMITS.bulkPerPeerMax; i++) {
      const fetched = await world.settle(a.fetchBlob(b.self, HASH));
      await world.settle(
        (async () => {
          for await (const _ of fetched.chunks) break;
        })(),
      );
    }
    b.serveBlobs(async () => ({ bytes: 10, chunks: chunksOf(new Uint8Array(10), 10) }));
    for (let i = 0; i < 2 * LIMITS.bulkPerPeerMax; i++) await world.settle(a.fetchBlob(b.self, HASH));
  });

  test("gossip reaches every other member, says who spoke, and does not come back", async () => {
    const { world, members } = await fleet(3);
    const heard = members.map(() => new Set<string>());
    members.forEach((member, i) => {
      member.onGossip((from, message) => heard[i]!.add(`${from} ${read(message)}`));
    });
    const expected = members.map((member) =>
      members.filter((peer) => peer !== member).map((peer) => `${peer.self} hello from ${peer.self}`),
    );
    // Best effort: it is said again until everyone has heard it, as capacity reports are.
    await world.until(() => {
      for (const member of members) member.publish(text(`hello from ${member.self}`));
      return heard.every((words, i) => expected[i]!.every((line) => words.has(line)));
    });
    expect(heard.map((words) => [...words].sort())).toEqual(expected.map((lines) => lines.sort()));
  });

  test("a gossip message over the limit is refused", async () => {
    const { a } = await pair();
    expect(() => a.publish(new Uint8Array(LIMITS.gossipBytesMax + 1))).toThrow(
      expect.objectContaining({ code: "TOO_LARGE" }),
    );
  });

  test("a killed peer is noticed at once, what was asked of it fails, and it is listed as down", async () => {
    const { world, a, b } = await pair();
    const heard: LinkView[] = [];
    const listener: LinkListener = (link) => heard.push(link);
    a.onLink(listener);
    b.onRequest("slow", () => new Promise(() => {}));
    const asked = codeOf(a.request(b.self, "slow", bytes()));
    await world.kill(b);
    await world.until(() => heard.length > 0, TIMING.linkSuspectMs / 2);
    expect(heard[0]).toMatchObject({ nodeId: b.self, state: "down" });
    expect(await world.settle(asked)).toBe("PEER_UNREACHABLE");
    expect(stateOf(a, b)).toBe("down");
    expect(a.sendConsensus(b.self, bytes(1))).toBe(false);
  });

  test("a peer taken off the roster is hung up on and can come back", async () => {
    const { world, a, b } = await pair();
    a.admit(rosterOf([a]));
    await world.until(() => stateOf(b, a) === "down");
    expect(a.links()).toEqual([]);
    expect(a.sendConsensus(b.self, bytes(1))).toBe(false);
    a.admit(rosterOf([a, b]));
    await world.until(() => stateOf(a, b) === "up" && stateOf(b, a) === "up");
  });

  test("a node on one roster only is not let in by the other", async () => {
    const world = await makeWorld();
    open = world;
    const [a, b, c] = [await world.member(), await world.member(), await world.member()];
    a.admit(rosterOf([a, b]));
    b.admit(rosterOf([a, b]));
    c.admit(rosterOf([a, b, c]));
    const heard: NodeId[] = [];
    for (const member of [a, b]) {
      member.onConsensus((from) => heard.push(from));
      member.onGossip((from) => heard.push(from));
    }
    await world.until(() => stateOf(a, b) === "up" && stateOf(b, a) === "up");
    for (let i = 0; i < 5; i++) {
      c.sendConsensus(a.self, bytes(1));
      c.publish(bytes(2));
      expect(stateOf(c, a)).not.toBe("up");
      const before = heard.length;
      await world.until(() => {
        b.publish(bytes(3));
        return heard.length > before;
      });
    }
    expect(new Set(heard)).toEqual(new Set([b.self]));
  });

  test("a short cut tells nobody, and what was said meanwhile arrives after it", async () => {
    const { world, a, b } = await pair();
    const heard: string[] = [];
    const links: LinkView["state"][] = [];
    a.onConsensus((_from, message) => heard.push(read(message)));
    a.onLink(({ state }) => links.push(state));
    b.impair({ kind: "cut" });
    b.sendConsensus(a.self, text("late"));
    await world.pass(TIMING.linkSuspectMs / 2);
    expect(heard).toEqual([]);
    b.impair();
    await world.until(() => heard.length > 0);
    expect(heard).toEqual(["late"]);
    expect(links).toEqual([]);
  });

  test("a long cut is silence, not a farewell: the others suspect first and give up when they would have, and meet again", async () => {
    const { world, members } = await fleet(3);
    const [a, b, c] = members as [PeerNetwork, PeerNetwork, PeerNetwork];
    const states: LinkView["state"][] = [];
    a.onLink(({ nodeId, state }) => nodeId === b.self && states.push(state));
    b.impair({ kind: "cut" });
    await world.until(() => states.includes("down"));
    expect(states).toEqual(["suspect", "down"]);
    expect(stateOf(a, c)).toBe("up");
    await world.until(() => stateOf(c, b) === "down" && stateOf(b, c) === "down");
    await world.pass(500);
    expect(stateOf(a, b)).toBe("down");
    b.impair();
    await world.until(() => [a, c].every((peer) => stateOf(peer, b) === "up" && stateOf(b, peer) === "up"));
  });

  test("a slow link is late each way, keeps the order, and is quick again afterwards", async () => {
    const { world, a, b } = await pair();
    a.onRequest("echo", async (_from, body) => body);
    b.impair({ kind: "slow", delayMs: 120, bytesPerSecond: 1e6 });
    let settled = false;
    const slow = Promise.all(["1", "2"].map((word) => b.request(a.self, "echo", text(word))));
    void slow.then(() => {
      settled = true;
    });
    await world.pass(200);
    expect(settled).toBe(false);
    expect((await world.settle(slow)).map(read)).toEqual(["1", "2"]);
    b.impair();
    expect(read(await world.settle(b.request(a.self, "echo", text("3"))))).toBe("3");
  });

  test("the door takes a knock and gives a welcome, or the refusal it was told to give", async () => {
    const { world, a } = await pair();
    const welcome: Welcome = {
      fleetId: "0f".repeat(16) as FleetId,
      fleetName: "attic",
      fleetSecret: "1e".repeat(32),
      roster: rosterOf([a]),
    };
    const knocks: string[] = [];
    const addresses = await world.settle(
      a.openDoor(async (knock) => {
        knocks.push(`${knock.inviteId} ${knock.name}`);
        if (knock.secret !== "right") throw new SkeinError("INVITE_INVALID", { reason: "it was used" });
        return welcome;
      }, 10_000),
    );
    expect(addresses.length).toBeGreaterThan(0);
    for (const address of addresses) expect(address.endsWith(`/p2p/${a.self}`)).toBe(true);
    expect(await world.settle(world.knock(addresses, "joiner", "right"))).toEqual(welcome);
    expect(await world.settle(codeOf(world.knock(addresses, "joiner", "wrong")))).toBe("INVITE_INVALID");
    expect(knocks).toEqual(["inv-test joiner", "inv-test joiner"]);
  });

  test("the door closes by itself", async () => {
    const { world, a } = await pair();
    const refuse = async () => {
      throw new SkeinError("INVITE_INVALID", { reason: "test" });
    };
    const addresses = await world.settle(a.openDoor(refuse, 50));
    await world.pass(150);
    expect(await world.settle(codeOf(world.knock(addresses, "joiner", "any")))).toBe("PEER_UNREACHABLE");
  });
}

export const INVITE = "inv-test" as InviteId;
