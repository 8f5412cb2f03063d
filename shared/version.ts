/** Of the agent; a test keeps it the same as package.json's. */
export const AGENT_VERSION = "0.1.0";
