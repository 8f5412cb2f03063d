/** Whatever happens in whatever order, the view stays sound and the effects tell exactly what the view shows. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Fleet, type FleetEvent } from "../../../agent/core/fleet/index.ts";
import type { NodeRole, Presence } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { capacityReport, nodeIdOf } from "./reports.ts";

const ids = ["a", "b", "c"].map(nodeIdOf);
const nodeId = fc.constantFrom(...ids);
const whatHappens = fc.oneof(
  fc.record({ kind: fc.constant("report" as const), nodeId, startedAtMs: fc.nat(2), sequence: fc.nat(5) }),
  fc.record({ kind: fc.constant("link" as const), nodeId, state: fc.constantFrom("up", "suspect", "down") }),
  fc.record({ kind: fc.constant("roster" as const), ids: fc.subarray(ids) }),
  fc.record({ kind: fc.constant("tick" as const) }),
);
type Happening = typeof whatHappens extends fc.Arbitrary<infer T> ? T : never;

function eventOf(happening: Happening, atMs: number): FleetEvent {
  switch (happening.kind) {
    case "report":
      return { kind: "reportReceived", report: capacityReport(happening.nodeId, happening), atMs };
    case "link":
      return { kind: "linkChanged", link: { nodeId: happening.nodeId, state: happening.state, silentMs: 0 }, atMs };
    case "roster": {
      const roster = happening.ids.map((id, i) => ({ nodeId: id, name: id, addresses: [], admittedAtIndex: i + 1 }));
      return { kind: "rosterChanged", roster, roles: new Map<NodeId, NodeRole>(), atMs };
    }
    case "tick":
      return { kind: "ticked", atMs };
  }
}

test("the effects, added up, are the presences that the view shows at every tick", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(whatHappens, fc.nat(12_000))), (story) => {
      const fleet = new Fleet({ self: ids[0]! });
      const told = new Map<NodeId, Presence>();
      let atMs = 0;
      for (const [happening, laterMs] of story) {
        atMs += laterMs;
        for (const effect of [...fleet.step(eventOf(happening, atMs)), ...fleet.step({ kind: "ticked", atMs })]) {
          expect(effect.from).toBe(told.get(effect.nodeId) ?? (effect.nodeId === ids[0] ? "fresh" : "gone"));
          expect(effect.to).not.toBe(effect.from);
          told.set(effect.nodeId, effect.to);
        }
        fleet.assertSound();
        const shown = fleet.nodes(atMs);
        for (const id of told.keys()) if (!shown.some((node) => node.nodeId === id)) told.delete(id);
        for (const node of shown) expect(told.get(node.nodeId) ?? (node.isSelf ? "fresh" : "gone")).toBe(node.presence);
      }
    }),
    { numRuns: 300 },
  );
});

test("reports that arrive in any order, some of them twice, leave the newest", () => {
  const reports = fc.array(fc.record({ startedAtMs: fc.integer({ min: 1, max: 3 }), sequence: fc.nat(9) }), {
    minLength: 1,
  });
  fc.assert(
    fc.property(reports, (facts) => {
      const fleet = new Fleet({ self: ids[0]! });
      fleet.step(eventOf({ kind: "roster", ids }, 0));
      for (const fact of facts) fleet.step({ kind: "reportReceived", report: capacityReport(ids[1]!, fact), atMs: 0 });
      const newest = [...facts].sort((x, y) => y.startedAtMs - x.startedAtMs || y.sequence - x.sequence)[0];
      expect(fleet.nodes(0).find((node) => node.nodeId === ids[1])?.report).toMatchObject(newest!);
    }),
  );
});
