// An optimizer's formula as it is printed, and beside it the number of each of its symbols at the step that is looked at.
import { h, put } from "./dom";
import type { Engine } from "./engine";
import { formulaOf, symbolsOf } from "./formulas";
import { shown } from "./numbers";
import type { Look } from "./paths";
import { valuesOf, type Racer } from "./state";
import { t } from "./text";

const MATHML = "http://www.w3.org/1998/Math/MathML";

export class FormulaView {
  readonly element: HTMLElement;
  private readonly lines = h("div", { class: "formula", tabindex: "0", role: "region", "aria-label": t("formula") });
  private readonly symbols = h("ul", { class: "symbols" });
  private readonly note = h("p", { class: "caption" });
  private written = "";

  constructor() {
    this.element = h("div", {}, this.lines, this.note, this.symbols);
  }

  show(engine: Engine, racer: Racer, look: Look | null, axis: number, step: number): void {
    const defaults = engine.optimizers[racer.name]!.dialects[racer.dialect]!;
    const { lines, fits } = formulaOf(racer.name, racer.dialect, defaults, racer.values);
    const written = lines.map((line) => `<div>${line}</div>`).join("");
    if (written !== this.written) this.lines.innerHTML = written; // MathML that verify wrote, and nobody else
    this.written = written;
    this.lines.hidden = !lines.length;
    put(this.note, `${t("formulaCaption")} ${fits ? "" : t("formulaOfDefaults")}`);
    const numbers = look ? numbersOf(engine, racer, look, axis, step) : {};
    const items = this.names().flatMap((name) => (name in numbers ? [this.item(name, numbers[name]!)] : []));
    this.symbols.replaceChildren(...items);
  }

  /** The symbols of the lines, in the order in which they appear. */
  private names(): string[] {
    const found = [...this.lines.querySelectorAll("[data-name]")].map((each) => each.getAttribute("data-name")!);
    return [...new Set(found)];
  }

  private item(name: string, number: number): HTMLElement {
    const math = document.createElementNS(MATHML, "math");
    math.append(this.lines.querySelector(`[data-name="${CSS.escape(name)}"]`)!.cloneNode(true));
    return h("li", {}, math, ` = ${shown(number, 6)}`);
  }
}

/** The number of each symbol: states and the average of them after the step, all else as the step took it. */
function numbersOf(engine: Engine, racer: Racer, look: Look, axis: number, step: number): Record<string, number> {
  const found: Record<string, number> = { theta: look.before[axis]!, g: look.gradient[axis]!, t: step };
  const values = valuesOf(engine, racer);
  for (const [key, symbols] of Object.entries(symbolsOf(racer.name))) {
    const value = values[key];
    const state = look.states[key];
    symbols.forEach((symbol, i) => {
      const number = Array.isArray(value)
        ? value[i]
        : (value ?? (state?.length === look.before.length ? state[axis] : state?.[0]));
      if (typeof number === "number") found[symbol] = number;
    });
  }
  if (look.rate !== null) found.lr = look.rate;
  return found;
}
