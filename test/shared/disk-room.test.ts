import { expect, test } from "vitest";
import { DiskRoom } from "../../shared/disk-room.ts";

const GiB = 1024 ** 3;

test("a disk with plenty of room is asked once a second, one with less each time", async () => {
  let [nowMs, free, looks] = [0, 100 * GiB, 0];
  const room = new DiskRoom(
    async () => {
      looks++;
      return free;
    },
    () => nowMs,
  );
  expect([await room.freeBytes(), await room.freeBytes(), looks]).toEqual([100 * GiB, 100 * GiB, 1]);
  free = 2 * GiB;
  nowMs = 999;
  expect(await room.freeBytes()).toBe(100 * GiB);
  nowMs = 1_000;
  expect([await room.freeBytes(), await room.freeBytes(), looks]).toEqual([2 * GiB, 2 * GiB, 3]);
  free = 0;
  expect(await room.freeBytes()).toBe(0);
});

test("a look that fails fails who asked, and the next one looks again", async () => {
  let isBroken = true;
  const look = async (): Promise<number> => {
    if (isBroken) throw new Error("gone");
    return 8 * GiB;
  };
  const room = new DiskRoom(look, () => 0);
  await expect(room.freeBytes()).rejects.toThrow("gone");
  isBroken = false;
  expect(await room.freeBytes()).toBe(8 * GiB);
});
