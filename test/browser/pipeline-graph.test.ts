/** Pictures of pipelines as a browser draws them: the fonts of this machine, light and dark. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { graphOf } from "../../agent/cli/pipelines/graph.ts";
import { svgOf } from "../../agent/cli/pipelines/svg.ts";
import { DOCUMENT_READING, TICKET } from "../support/drawn-pipelines.ts";

const CHROMIUM = "/usr/bin/chromium";
const hasBrowser = existsSync(CHROMIUM);
const FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking";

let browser: Browser;
beforeAll(async () => {
  if (hasBrowser) browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS.split(" ") });
});
afterAll(() => browser?.close());

test.skipIf(!hasBrowser)("every text lies within its box, and follows the reader's light or dark", async () => {
  const colours: string[] = [];
  for (const [definition, colorScheme] of [
    [DOCUMENT_READING, "light"],
    [TICKET, "dark"],
  ] as const) {
    const page = await browser.newPage({ colorScheme });
    await page.setContent(svgOf(graphOf(definition)));
    const seen = await page.evaluate(() => {
      const outside: string[] = [];
      const all = document.querySelectorAll("svg > g > g");
      for (const group of all) {
        const box = group.querySelector("rect.box, rect.page")!.getBoundingClientRect();
        for (const text of group.querySelectorAll("text")) {
          const { left, right, top, bottom } = text.getBoundingClientRect();
          if (left < box.left || right > box.right || top < box.top - 2 || bottom > box.bottom + 2)
            outside.push(text.textContent ?? "");
        }
      }
      const { fill } = getComputedStyle(document.querySelector("rect.page")!);
      return { outside, groups: all.length, fill };
    });
    expect(seen.outside).toEqual([]);
    expect(seen.groups).toBeGreaterThan(20);
    colours.push(seen.fill);
    await page.close();
  }
  expect(new Set(colours).size).toBe(2);
});
