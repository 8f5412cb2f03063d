/** What whoever looks after the boxes does with them, by the real commands: hand over, drain, leave, and recover. */
import { expect, test } from "vitest";
import { setStage } from "./promises.ts";

const stage = setStage(["attic", "bench", "cellar"]);

test("`skein transfer-leader` hands the leadership to the box that is named, whichever is asked", async () => {
  const { fleet } = stage;
  const [to, asked] = fleet.others(await fleet.leader());
  const said = await asked!.skein("transfer-leader", to!.name, "--json");
  expect(said, said.err).toMatchObject({ exitCode: 0 });
  expect(JSON.parse(said.out)).toMatchObject({ leader: to!.nodeId });
  expect(await fleet.leader()).toBe(to);
});

test("`skein drain` empties the leader in the middle of a job, and it stays so when it is started again", async () => {
  const { fleet } = stage;
  const box = await fleet.leader();
  const [other] = fleet.others(box);
  const jobId = await fleet.submit(box, stage.pages(0));
  await fleet.recordedAtLeast(jobId, 2);
  expect(await other!.skein("drain", box.name)).toMatchObject({
    exitCode: 0,
    out: `Nothing runs on ${box.name}: it may be switched off. \`skein drain ${box.name} --undo\` takes it back.\n`,
  });
  await fleet.restart(box);
  await stage.expectPromisesHeld(jobId, stage.pages(0));
  await fleet.whole();
  expect(await fleet.leader()).not.toBe(box);
  expect((await box.skein("status")).out).toContain(`drained    ${box.name}\n`);
  const next = await fleet.submit(box, stage.pages(1));
  await stage.expectPromisesHeld(next, stage.pages(1));
  const { job } = await other!.client.job(next);
  expect(job.shares.find((share) => share.nodeId === box.nodeId)).toMatchObject({ itemsRecorded: 0 });
  expect(await box.skein("drain", "--undo")).toMatchObject({ exitCode: 0 });
});

test("`skein leave` takes the leader out with all it held copied on, and its folder does not start again", async () => {
  const { fleet } = stage;
  const box = await fleet.leader();
  const jobId = await fleet.submit(box, stage.pages(2));
  const said = await box.skein("leave");
  expect(said).toMatchObject({
    exitCode: 0,
    out: 'This box has left fleet "test", and its agent has stopped.\n',
  });
  await fleet.until("its process ends", () => !box.isRunning);
  const again = await box.skein("start");
  expect(again.exitCode).toBe(4);
  expect(again.err).toMatch(/^skein: This box left the fleet test at .*skein join TOKEN/);
  await fleet.forget(box);
  await fleet.whole();
  await stage.expectPromisesHeld(jobId, stage.pages(2));
});

test("`skein recover` goes on with the one box that is left, and the other one is refused when it comes back", async () => {
  const { fleet } = stage;
  const lost = await fleet.leader();
  const [last] = fleet.others(lost);
  const refused = await last!.skein("recover", "--yes", "test");
  expect(refused.exitCode).toBe(1);
  await lost.kill();
  await fleet.poll("the last one is without a quorum", async () => !(await last!.client.fleet()).hasQuorum);
  const said = await last!.skein("recover", "--yes", "test");
  expect(said).toMatchObject({ exitCode: 0 });
  expect(said.out).toContain(`without ${lost.name}`);
  await fleet.leader([last!]);
  expect((await last!.skein("status")).out).toMatch(
    new RegExp(`^recovered .* from ${last!.name}, without ${lost.name}$`, "m"),
  );
  await fleet.start(lost);
  await fleet.poll("it has measured itself", async () => (await lost.client.health()).ok);
  await expect(fleet.submit(lost, stage.pages(3))).rejects.toMatchObject({ code: "NO_QUORUM" });
  await fleet.forget(lost);
  await fleet.whole();
  const jobId = await fleet.submit(last!, stage.pages(3));
  await fleet.jobEnded(jobId);
  expect((await fleet.outputs(jobId, last!)).size).toBe(stage.pages(3).length);
});
