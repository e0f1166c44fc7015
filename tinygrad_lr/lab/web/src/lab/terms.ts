// The formulas of the chosen optimizers, whole, and without each of the terms that they can do without.
import type { Lab } from "./lab";
import { ruleOf, type Rule } from "./formula/explain";
import { ruleWithout, TERMS, type Term } from "./formula/without";
import { valuesOf, type Racer } from "./state";
import type { Key } from "./text";

const NAMES = {
  momentum: "withoutMomentum",
  corrections: "withoutCorrections",
  denominator: "withoutDenominator",
  epsilon: "withoutEpsilon",
  decay: "withoutDecay",
} as const satisfies Record<Term, Key>;

/** The formula of a racer; null where none is printed for its optimizer, or where its values are not of their kinds. */
export function ruleFor({ engine }: Lab, racer: Racer): Rule | null {
  const formula = engine.formulas[racer.name];
  try {
    return formula ? ruleOf(engine, formula, valuesOf(engine, racer)) : null;
  } catch {
    return null;
  }
}

type Terms = Map<string, { name: Key; rule: Rule }>;
let found: { key: string; terms: Terms } = { key: "", terms: new Map() };

/** The terms that can be left out of the racer under the glass, and its formula without each. */
export function termsOf(lab: Lab): Terms {
  const { racers, looked } = lab.store.state;
  const key = JSON.stringify(racers[looked] ?? null);
  if (found.key === key) return found.terms;
  const terms: Terms = new Map();
  const rule = racers[looked] ? ruleFor(lab, racers[looked]) : null;
  for (const term of rule ? TERMS : []) {
    const without = ruleWithout(rule!, term);
    if (without) terms.set(term, { name: NAMES[term], rule: without });
  }
  found = { key, terms };
  return terms;
}
