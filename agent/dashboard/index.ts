/**
 * What the fleet looks like now, as one page in a browser: a client of the HTTP API like any other. Plain files without a
 * framework or a build, served by the agent itself, so that it works where there is no internet.
 */
export { DASHBOARD_FILES, type DashboardFile } from "./files.ts";
