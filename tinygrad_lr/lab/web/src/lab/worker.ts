// The worker: the engine and this bundle once more, beside the page, so that the page stays quick.
import type { Engine } from "./engine";
import { parts, type Order, type Part } from "./sweep";

declare const engine: Engine;

const BETWEEN = 60; // milliseconds between two messages of progress

/** In the worker: compute what a message orders, and send what is done. */
export function work(): void {
  self.addEventListener("message", (event: MessageEvent<Order>) => {
    let done: Part[] = [];
    let last = performance.now();
    for (const part of parts(engine, event.data)) {
      done.push(part);
      if (performance.now() - last < BETWEEN) continue;
      postMessage({ parts: done, ended: false });
      done = [];
      last = performance.now();
    }
    postMessage({ parts: done, ended: true });
  });
}

/** In the page: a worker of the page's own scripts, whose text stands in the document. */
export function startWorker(): Worker {
  const codes = [...document.scripts]
    .filter(({ type, src }) => type !== "application/json" && !src)
    .map(({ textContent }) => textContent ?? "");
  const address = URL.createObjectURL(new Blob([codes.join(";\n")], { type: "text/javascript" }));
  const worker = new Worker(address);
  URL.revokeObjectURL(address);
  return worker;
}
