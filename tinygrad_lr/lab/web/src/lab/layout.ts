// What all sections look like: a heading with its number, two or three sentences, and panels side by side.
import type { Control } from "./controls";
import { h, svg, type Child } from "./dom";
import type { Style } from "./palette";
import { t, type Key } from "./text";

export interface Section {
  id: string;
  element: HTMLElement;
  needsPaths?: false; // where it has none of those that `pathsAhead` computes
  update(): void;
  arrange?(): void; // its controls alone, which need no paths
}

export function frame(
  id: string,
  title: Key,
  text: Key,
  values: Record<string, string | number>,
  ...children: Child[]
): HTMLElement {
  const paragraphs = t(text, values)
    .split("\n")
    .map((each) => h("p", {}, each));
  return h(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title`, tabindex: "-1" }, t(title)),
    h("div", { class: "prose" }, ...paragraphs),
    ...children,
  );
}

/** A picture on the left and what belongs to it on the right; below one another where it is narrow. */
export function sideBySide(left: Child[], right: Child[]): HTMLElement {
  return h(
    "div",
    { class: "side" },
    h("div", { class: "panel" }, ...left),
    h("div", { class: "panel controls" }, ...right),
  );
}

export function caption(text: string): HTMLElement {
  return h("p", { class: "caption" }, text);
}

/** A line and a marker as a path has them, for the legend. */
export function swatch(style: Style): SVGElement {
  const line = svg("line", { x1: "1", y1: "8", x2: "33", y2: "8", "stroke-dasharray": style.dash.join(" ") });
  const shapes: Record<Style["marker"], SVGElement> = {
    circle: svg("circle", { cx: "17", cy: "8", r: "4.5" }),
    square: svg("rect", { x: "13", y: "4", width: "8", height: "8" }),
    triangle: svg("path", { d: "M17 2.5 22 12H12Z" }),
    down: svg("path", { d: "M17 13.5 22 4H12Z" }),
    diamond: svg("path", { d: "M17 2.5 22.5 8 17 13.5 11.500 8Z" }),
    cross: svg("path", { class: "stroked", d: "M13 4l8 8M21 4l-8 8" }),
    plus: svg("path", { class: "stroked", d: "M17 2.500v11M11.500 8h11" }),
  };
  const found = svg(
    "svg",
    { class: "swatch", viewBox: "0 0 34 16", width: "34", height: "16", "aria-hidden": "true" },
    line,
    shapes[style.marker],
  );
  found.style.setProperty("--light", style.light);
  found.style.setProperty("--dark", style.dark);
  return found;
}

/** What the lines of a picture stand for; `show` is told their names and styles. */
export class Legend {
  readonly element = h("ul", { class: "legend" });
  private shown = "";

  show(entries: { name: string; style: Style; dashed?: boolean }[]): void {
    const key = JSON.stringify(entries);
    if (key === this.shown) return;
    this.shown = key;
    const styled = (style: Style, dashed?: boolean) => (dashed ? { ...style, dash: [3, 4] } : style);
    this.element.replaceChildren(
      ...entries.map(({ name, style, dashed }) => h("li", {}, swatch(styled(style, dashed)), name)),
    );
  }
}

export function updateAll(controls: Control[]): void {
  for (const each of controls) each.update();
}
