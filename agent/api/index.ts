/**
 * HTTP in front of the agent: serves shared/routes.ts over an AgentFace, streams blobs and events, hands out the
 * dashboard. It checks what clients send before anyone believes it and turns error codes into statuses; it decides nothing.
 */
export { type Api, type ApiOptions, startApi } from "./server.ts";
