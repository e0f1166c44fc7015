/** What every page does: read its data, speak a language, make elements. Texts become text nodes, never HTML. */

export type Language = "en" | "zh";

/** The data that the page was written with. */
export function pageData<Data>(): Data & { language: Language } {
  return JSON.parse(document.getElementById("data")!.textContent!);
}

type Child = Node | string | null;

/** An element with attributes and children; a function among the attributes listens to the event of its name. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Record<string, string | boolean | EventListener> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** A text with the values in place of `{names}`. */
export function filled(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name]));
}

/** A number with six significant digits, as Python's `%g` has it. */
export function shown(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent < -4 || exponent >= 6) {
    const [digits, power] = value.toExponential(5).split("e") as [string, string];
    return `${trimmed(digits)}e${power}`;
  }
  return trimmed(value.toPrecision(6));
}

/** A number, or several, with the sign of arithmetic. */
export function withMinus(text: string): string {
  return text.replaceAll("-", "−");
}

/** The digits without zeros at the end of a fraction. */
function trimmed(digits: string): string {
  return digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
}
