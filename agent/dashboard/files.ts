import { RAW_ROUTES } from "../../shared/routes.ts";

export interface DashboardFile {
  /** Where the API serves it. */
  path: string;
  file: URL;
  type: string;
}

const here = (name: string): URL => new URL(name, import.meta.url);

/** Every file of the page. */
export const DASHBOARD_FILES: readonly DashboardFile[] = [
  { path: RAW_ROUTES.dashboard, file: here("./page.html"), type: "text/html; charset=utf-8" },
  { path: "/page.css", file: here("./page.css"), type: "text/css; charset=utf-8" },
  { path: "/page.js", file: here("./page.js"), type: "text/javascript; charset=utf-8" },
  { path: "/draw.js", file: here("./draw.js"), type: "text/javascript; charset=utf-8" },
  { path: "/tell.js", file: here("./tell.js"), type: "text/javascript; charset=utf-8" },
];
