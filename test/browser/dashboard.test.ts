/** The page in a real browser, in front of a real API over a pretend agent. */
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { SkeinError } from "../../shared/errors.ts";
import type { JobId } from "../../shared/ids.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { sha256 } from "../support/pretend-face.ts";

const CHROMIUM = "/usr/bin/chromium";
const hasBrowser = existsSync(CHROMIUM);
if (!hasBrowser)
  console.log(`The dashboard is not tried in a browser: there is no ${CHROMIUM} (apt-get install chromium).`);

/** A page that is opened must not wait for anything that is not on this machine. */
const FLAGS =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
const JOB = "job-0001" as JobId;

let browser: Browser;
let pretend: PretendApi;
let page: Page;
const complaints: string[] = [];
const askedElsewhere: string[] = [];

beforeAll(async () => {
  if (hasBrowser) browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS.split(" ") });
});
afterAll(async () => {
  await browser?.close();
});
beforeEach(async () => {
  if (!hasBrowser) return;
  pretend = await startPretendApi();
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  complaints.length = 0;
  askedElsewhere.length = 0;
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(pretend.api.url) && !request.url().startsWith("data:"))
      askedElsewhere.push(request.url());
  });
});
afterEach(async () => {
  await page?.close();
  await pretend?.api.stop();
});

async function aJob(items: number): Promise<void> {
  const bytes = new TextEncoder().encode("text");
  await pretend.client.putBlob(sha256(bytes), bytes);
  const inputs = Array.from({ length: items }, (_, i) => ({
    name: `${i}.png`,
    blob: sha256(bytes),
    bytes: bytes.length,
  }));
  await pretend.client.jobSubmit({ pipeline: "ocr", inputs });
}

const text = async (selector: string): Promise<string> => (await page.locator(selector).textContent()) ?? "";
const barWidths = (): Promise<number[]> =>
  page
    .locator(".bar span")
    .evaluateAll((spans) => spans.map((span) => Number.parseFloat((span as HTMLElement).style.width)));

test.skipIf(!hasBrowser)("it shows the fleet: who leads, each node, and what it measured", async () => {
  await page.goto(pretend.api.url);
  await page.locator(".node").nth(2).waitFor();
  expect(await page.title()).toBe("home · Skein");
  expect(await text("#leader")).toBe("bench leads, term 7");
  expect(await text("#quorum")).toBe("quorum");
  expect(await text("#nodes-count")).toMatch(/2 of 3 present/i);
  const cards = await page.locator(".node").allInnerTexts();
  expect(cards.map((card) => card.split("\n")[0])).toEqual(["attic", "bench", "cellar"]);
  expect(cards[1]).toMatch(/leader[\s\S]*2\.1[\s\S]*60 °C[\s\S]*0\.4 ms/);
  expect(await text(".node[data-presence=late] h3")).toBe("cellar");
  expect(await page.locator("#jobs-none").isVisible()).toBe(true);
  expect([complaints, askedElsewhere]).toEqual([[], []]);
});

test.skipIf(!hasBrowser)("a job's bar moves with the events, one segment for each node's share", async () => {
  await page.goto(pretend.api.url);
  await page.locator("#live[data-state=good]").waitFor();
  await aJob(40);
  await page.locator(".job h3", { hasText: JOB }).waitFor();
  expect(await text(".percent")).toBe("0 / 40");
  pretend.face.record(JOB, 20);
  await page.locator(".percent", { hasText: "20 / 40" }).waitFor({ timeout: 1_500 });
  expect(await barWidths()).toEqual([17.5, 17.5, 15]);
  expect(await page.getByRole("progressbar").getAttribute("aria-valuenow")).toBe("20");
  pretend.face.record(JOB, 20);
  await page.locator(".state", { hasText: "done in 4.0 s" }).waitFor({ timeout: 1_500 });
  expect(await page.locator(".shares li").allInnerTexts()).toEqual(
    ["attic\n14", "bench\n13", "cellar\n13"].map(oneLine),
  );
  expect((await page.locator("#events li").allInnerTexts()).join("\n")).toContain(`${JOB} done`);
  expect(complaints).toEqual([]);
});

const oneLine = (value: string): unknown => expect.stringMatching(new RegExp(value.replace("\n", "\\s*")));

test.skipIf(!hasBrowser)(
  "of a job that was cut, each part has a bar of who made it, and says what was made again",
  async () => {
    await page.goto(pretend.api.url);
    await aJob(8);
    const { view } = pretend.face.pretendJobs.get(JOB)!;
    const part = (segment: string, stages: string[], recorded: number, nodes: Record<string, number>) => ({
      ...{ segment, stages, tasks: 8, recorded, failed: 0, runsAgain: 0, copies: 1, nodes },
    });
    view.stages = [
      { ...part("r:1/0", ["image", "detect"], 6, { attic: 4, bench: 2 }), runsAgain: 1 },
      { ...part("r:1/1!", ["read"], 0, {}), tasks: 0 },
    ];
    pretend.face.record(JOB, 2);
    await page.locator(".stages li").nth(1).waitFor();
    const lines = await page.locator(".stages li").allInnerTexts();
    expect(lines.map((line) => line.split(/\s*\n\s*/).filter(Boolean))).toEqual([
      ["image, detect", "6 / 8", "1 made again"],
      ["read", "-"],
    ]);
    const widths = page
      .locator(".stages .track span")
      .evaluateAll((all) => all.map((one) => (one as HTMLElement).style.width));
    expect(await widths).toEqual(["50%", "25%"]);
    view.stages = [
      part("r:1/0", ["image", "detect"], 8, { attic: 4, bench: 4 }),
      part("r:1/1!", ["read"], 8, { cellar: 8 }),
    ];
    pretend.face.record(JOB, 6);
    await page.locator(".stages b", { hasText: "8 / 8" }).nth(1).waitFor();
    expect(complaints).toEqual([]);
  },
);

test.skipIf(!hasBrowser)("the plan's reasons open, and stay open while the job goes on", async () => {
  await aJob(40);
  await page.goto(pretend.api.url);
  await page.locator(".plan summary").click();
  expect(await text(".split")).toContain("measured 3.2 items/s, 60 % of the fleet");
  pretend.face.record(JOB, 10);
  await page.locator(".percent", { hasText: "10 / 40" }).waitFor();
  expect(await page.locator(".split").isVisible()).toBe(true);
});

test.skipIf(!hasBrowser)("a job's split is drawn: who got what, what that takes, and the ways compared", async () => {
  await aJob(40);
  await page.goto(pretend.api.url);
  await page.locator(".plan summary").click();
  expect(await text(".plan summary")).toMatch(/^40 items over 2 nodes, expected to end after 8\.5 s/);
  expect(await page.locator(".split .name").allInnerTexts()).toEqual(["attic", "bench", "cellar"]);
  expect(await page.locator(".split b").allInnerTexts()).toEqual(["25", "15", "0"]);
  const computing = await page
    .locator(".split .compute")
    .evaluateAll((spans) => spans.map((span) => Math.round(Number.parseFloat((span as HTMLElement).style.width))));
  expect(computing).toEqual([100, 84, 0]);
  expect(await text(".split li.unused p")).toBe("gets no work: it is late");
  expect(await text(".answers")).toContain("The job ends with attic's last item: one more item/s there");
  expect(await text(".ways .chosen")).toBe("over 2 nodes: 8.5 s, taken");
  expect([complaints, askedElsewhere]).toEqual([[], []]);
});

test.skipIf(!hasBrowser)(
  "of a job whose decision is no longer kept nothing is drawn, and nothing complains",
  async () => {
    pretend.face.failures.explain = Array.from(
      { length: 9 },
      () => new SkeinError("DECISION_MISSING", { what: JOB, kept: 1 }),
    );
    await aJob(2);
    pretend.face.record(JOB, 2);
    await page.goto(pretend.api.url);
    await page.locator(".percent", { hasText: "2 / 2" }).waitFor();
    expect(await page.locator(".plan").isVisible()).toBe(false);
  },
);

test.skipIf(!hasBrowser)("without a quorum an alarm names who is missing, and goes when they are back", async () => {
  pretend.face.hasQuorum = false;
  await page.goto(pretend.api.url);
  await page.getByRole("alert").waitFor();
  expect(await text("#alarm")).toContain("Missing: bench, cellar");
  expect(await page.locator("#quorum").getAttribute("data-state")).toBe("bad");
  pretend.face.hasQuorum = true;
  pretend.face.emit("nodePresenceChanged", { name: "bench", to: "fresh", because: "it reports again" });
  await page.locator("#alarm").waitFor({ state: "hidden" });
});

test.skipIf(!hasBrowser)(
  "it comes back by itself when the agent was restarted, and tells what was missed",
  async () => {
    await page.goto(pretend.api.url);
    await page.locator("#live[data-state=good]").waitFor();
    const { face, api } = pretend;
    await api.stop();
    await page.locator("#live[data-state=wait]").waitFor();
    await page.getByRole("alert").waitFor();
    face.emit("nodeAdmitted", { name: "dacha" });
    pretend = await startPretendApi({ face, port: Number(new URL(api.url).port) });
    await page.locator("#live[data-state=good]").waitFor();
    await page.locator("#events li", { hasText: "dacha came into the fleet" }).waitFor();
    await page.locator("#alarm").waitFor({ state: "hidden" });
  },
);

test.skipIf(!hasBrowser)("a name with markup stays a name", async () => {
  const evil = "<img src=x onerror=document.title='owned'>";
  pretend.face.emit("nodeAdmitted", { name: evil });
  await page.goto(pretend.api.url);
  await page.locator("#events li").first().waitFor();
  expect(await text("#events")).toContain(evil);
  expect(await page.locator("#events img").count()).toBe(0);
  expect(await page.title()).toBe("home · Skein");
});

test.skipIf(!hasBrowser)("from another box it asks for the token, and shows nothing before", async () => {
  await pretend.api.stop();
  pretend = await startPretendApi({ token: "secret" });
  // As if through a proxy: the agent then takes nobody for local.
  await page.setExtraHTTPHeaders({ "x-forwarded-for": "203.0.113.9" });
  await page.goto(pretend.api.url);
  await page.locator("#door").waitFor();
  expect(await page.locator(".node").count()).toBe(0);
  await page.locator("#token").fill("wrong");
  await page.getByRole("button", { name: "Look in" }).click();
  await page.locator("#door").waitFor();
  await page.locator("#token").fill("secret");
  await page.getByRole("button", { name: "Look in" }).click();
  await page.locator(".node").nth(2).waitFor();
  await page.locator("#live[data-state=good]").waitFor();
});

test.skipIf(!hasBrowser)("on a phone nothing is wider than the screen", async () => {
  await aJob(40);
  pretend.face.record(JOB, 25);
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto(pretend.api.url);
  await page.locator(".node").nth(2).waitFor();
  const overflowPx = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(overflowPx).toBeLessThanOrEqual(0);
});

test.skipIf(!hasBrowser)("words are told from their ground in light and in dark (WCAG 2.2, 1.4.3)", async () => {
  await aJob(40);
  pretend.face.record(JOB, 25);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.goto(pretend.api.url);
    await page.locator(".node").nth(2).waitFor();
    expect(await page.evaluate(faintTexts)).toEqual([]);
  }
});

/** Runs in the page: every visible text whose contrast with the ground behind it is under 4.5 to 1. */
function faintTexts(): string[] {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
  const channels = (colour: string): number[] => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour: string): number => {
    const [r = 0, g = 0, b = 0] = channels(colour).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const groundOf = (element: Element | null): string => {
    for (let at = element; at; at = at.parentElement) {
      const ground = getComputedStyle(at).backgroundColor;
      if (channels(ground)[3] === 255) return ground;
    }
    return "white";
  };
  const faint: string[] = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!element?.checkVisibility() || !node.textContent?.trim() || element.closest("noscript, .skip")) continue;
    const [a, b] = [luminance(getComputedStyle(element).color), luminance(groundOf(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.push(`${node.textContent.trim()}: ${contrast.toFixed(2)}`);
  }
  return faint;
}
