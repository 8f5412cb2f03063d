import { canonicalJson } from "../../shared/canonical-json.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { NodeView } from "../../shared/fleet.ts";
import { BUILT_IN, modelBytes } from "../../shared/model.ts";
import { type KeptRule, meansModel, meansNode, type Rule, type RuleView, ruleText } from "../../shared/rules.ts";
import type { Ledger } from "../core/ledger/index.ts";
import { conflictOf } from "../core/planner/index.ts";
import { placementNode } from "./placement-nodes.ts";
import type { Proposer } from "./proposer.ts";
import { rulesOf } from "./workers.ts";

export interface RuleBookInit {
  ledger: Ledger;
  proposer: Proposer;
  nodes: () => NodeView[];
}

/** Two boxes may take the same number at once; the one that came second takes the next. */
const TRIES = 5;

/** What people ask of the planner: kept in the ledger, and checked against one another before a rule gets there. */
export class RuleBook {
  readonly #init: RuleBookInit;

  constructor(init: RuleBookInit) {
    this.#init = init;
  }

  list(): RuleView[] {
    return rulesOf(this.#init.ledger.planning).map((kept) => this.#viewOf(kept));
  }

  async add(rule: Rule): Promise<RuleView> {
    this.#refuseUnknown(rule);
    for (let tries = 1; ; tries++) {
      const rules = rulesOf(this.#init.ledger.planning);
      const same = rules.find((kept) => canonicalJson(kept.rule) === canonicalJson(rule));
      if (same) return this.#viewOf(same);
      const kept = { ruleId: nextId(rules), rule };
      this.#refuseConflict(rules, kept);
      try {
        await this.#init.proposer.propose({ kind: "ruleChanged", ...kept });
        return this.#viewOf(kept);
      } catch (error) {
        const taken =
          SkeinError.from(error).code === "BAD_REQUEST" && this.#init.ledger.planning.rules.has(kept.ruleId);
        if (!taken || tries === TRIES) throw error;
      }
    }
  }

  async remove(ruleId: string): Promise<RuleView> {
    const kept = rulesOf(this.#init.ledger.planning).find((one) => one.ruleId === ruleId);
    if (!kept) throw new SkeinError("RULE_UNKNOWN", { rule: ruleId });
    const view = this.#viewOf(kept);
    await this.#init.proposer.propose({ kind: "ruleChanged", ruleId });
    return view;
  }

  /** A misspelt box would be a rule that silently does nothing. Labels and models may come later. */
  #refuseUnknown(rule: Rule): void {
    if ("on" in rule && !rule.on.includes("=") && !this.#init.nodes().some((node) => meansNode(rule.on, node)))
      throw new SkeinError("NODE_UNKNOWN", { node: rule.on });
    const isBuiltIn = "model" in rule && (BUILT_IN as readonly string[]).includes(rule.model);
    if (isBuiltIn && (rule.kind === "pin" || rule.kind === "replicas"))
      throw new SkeinError("BAD_REQUEST", { reason: `${rule.model} comes with the agent and stands on every box` });
  }

  #refuseConflict(rules: readonly KeptRule[], added: KeptRule): void {
    const { ledger, nodes } = this.#init;
    const models = [...ledger.planning.models].map(([pipeline, { manifest }]) => ({
      pipeline,
      bytes: modelBytes(manifest),
    }));
    const fleet = nodes().filter(({ role, leaving }) => role !== "witness" && !leaving);
    const conflict = conflictOf(rules, added, { nodes: fleet.map((node) => placementNode(node)), models });
    if (!conflict) return;
    const named = conflict.rules.map((kept) =>
      kept === added ? `the new one (${ruleText(kept.rule)})` : `${kept.ruleId} (${ruleText(kept.rule)})`,
    );
    throw new SkeinError("RULES_CONFLICT", { rules: named, reason: conflict.reason });
  }

  #viewOf(kept: KeptRule): RuleView {
    const { rule } = kept;
    const known = [...BUILT_IN, ...this.#init.ledger.planning.models.keys()];
    return {
      ...kept,
      text: ruleText(rule),
      ...("on" in rule && {
        nodes: this.#init.nodes().flatMap((node) => (meansNode(rule.on, node) ? [node.name] : [])),
      }),
      ...("model" in rule && { models: known.filter((pipeline) => meansModel(rule.model, pipeline)) }),
    };
  }
}

/** Counts up from the largest there is. */
function nextId(rules: readonly KeptRule[]): string {
  const numbers = rules.map(({ ruleId }) => Number(/^rule-(\d+)$/.exec(ruleId)?.[1] ?? 0));
  return `rule-${1 + Math.max(0, ...numbers)}`;
}
