/** One member of a fleet in a process of its own, for tests that stop and kill processes. Told what to be by PART; says its address. */
import { createPeerNetwork } from "../../agent/io/network/index.ts";
import type { RosterNode } from "../../shared/fleet.ts";
import type { FleetId } from "../../shared/ids.ts";

export interface ChildPart {
  key: string;
  fleetSecret: string;
  fleetId: FleetId;
  roster: RosterNode[];
}

const part = JSON.parse(process.env.PART ?? "") as ChildPart;
const network = createPeerNetwork(
  {
    nodeKey: Buffer.from(part.key, "hex"),
    fleetSecret: part.fleetSecret,
    fleetId: part.fleetId,
    nodeName: "child",
    listenPort: 0,
    listenHosts: ["127.0.0.1"],
    beacon: "off",
  },
  { telemetry: { log: () => {} } },
);
network.onRequest("echo", async (_, body) => body);
await network.start();
network.admit(part.roster);
process.send?.(network.addresses());
