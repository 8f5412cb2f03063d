import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RAW_ROUTES } from "../../shared/routes.ts";

export interface DashboardFile {
  /** Where the API serves it. */
  path: string;
  file: string;
  type: string;
}

/** The page is not built: from `dist` too it is served out of the package's own `agent/dashboard`. */
function pageFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  for (let folder = here; folder !== dirname(folder); folder = dirname(folder))
    if (existsSync(join(folder, "package.json"))) return join(folder, "agent", "dashboard");
  return here;
}

const folder = pageFolder();
const here = (name: string): string => join(folder, name);

/** Every file of the page. */
export const DASHBOARD_FILES: readonly DashboardFile[] = [
  { path: RAW_ROUTES.dashboard, file: here("page.html"), type: "text/html; charset=utf-8" },
  { path: "/page.css", file: here("page.css"), type: "text/css; charset=utf-8" },
  { path: "/page.js", file: here("page.js"), type: "text/javascript; charset=utf-8" },
  { path: "/make.js", file: here("make.js"), type: "text/javascript; charset=utf-8" },
  { path: "/draw-split.js", file: here("draw-split.js"), type: "text/javascript; charset=utf-8" },
  { path: "/draw-stages.js", file: here("draw-stages.js"), type: "text/javascript; charset=utf-8" },
  { path: "/draw.js", file: here("draw.js"), type: "text/javascript; charset=utf-8" },
  { path: "/tell.js", file: here("tell.js"), type: "text/javascript; charset=utf-8" },
];
