// Elements of HTML (those of common/page.ts) and SVG.

import { element as h } from "../common/page";
export { h };

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

const FOREIGN = /(\u2066.*?\u2069)/s; // Unicode's isolates

/** English words for a text of another language: `put` says of them that they are English. */
export function foreign(text: string): string {
  return `\u2066${text}\u2069`;
}

/** Put a text into an element, if it is another one: screen readers speak what changes. */
export function put(element: Element, text: string): void {
  if (element.textContent === text) return;
  const parts = text.split(FOREIGN).map((part, i) => (i % 2 ? h("span", { lang: "en" }, part) : part));
  element.replaceChildren(...parts.filter((part) => part !== ""));
}

/** The same of a text that changes from step to step, and is spoken only where something is wrong. */
export function tell(element: Element, text: string, wrong: boolean): void {
  element.classList.toggle("wrong", wrong);
  if (wrong) element.setAttribute("role", "alert");
  else element.removeAttribute("role");
  put(element, text);
}
