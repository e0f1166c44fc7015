// Elements of HTML (those of common/page.ts) and SVG.

export { element as h } from "../common/page";

export type Child = Node | string | null;

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag: string, given: Record<string, string> = {}, ...children: Node[]): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(given)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

let count = 0;

/** An id that no other element has. */
export function freshId(): string {
  return `id${++count}`;
}

/** Put a text into an element, if it is another one: screen readers speak what changes. */
export function put(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
