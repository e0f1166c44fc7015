// The state of the page, in one place: sections change it with `set`, and are told on the next frame. It stands in the
// address, so that it can be sent to somebody, and the browser's back and forward lead through what was done.
import type { State } from "./state";

export type Changed = ReadonlySet<keyof State>;

const QUIET = 300; // milliseconds without a change before the address follows a drag or a play
const TOGETHER = 1000; // milliseconds within which a drag goes on, as one key of a slider follows another

export class Store {
  state: State;
  private listeners: ((changed: Changed) => void)[] = [];
  private changed = new Set<keyof State>();
  private waiting = false;
  private dragging = false;
  private dragged = ""; // what changes in the last drag
  private at = -Infinity; // when it changed last
  private timer = 0;
  /** The browser went back or forward: what plays must stop. */
  onFollow = () => {};

  constructor(
    private readonly written: (state: State) => string,
    private readonly read: (hash: string) => State,
  ) {
    this.state = read(location.hash);
    addEventListener("popstate", () => this.follow());
    addEventListener("hashchange", () => this.follow());
  }

  /** Change the state. One drag is one entry of the browser's history: its changes are "live" until `settle`. */
  set(patch: Partial<State>, how: "once" | "live" | "passing" = "once"): void {
    for (const key of Object.keys(patch) as (keyof State)[]) {
      if (JSON.stringify(this.state[key]) !== JSON.stringify(patch[key])) this.changed.add(key);
    }
    this.state = { ...this.state, ...patch };
    const name = Object.keys(patch).join();
    if (how === "once" && this.dragging && name === this.dragged) this.settle();
    if (!this.changed.size) return;
    const now = performance.now();
    const goesOn = how === "live" && name === this.dragged && (this.dragging || now - this.at < TOGETHER);
    if (how === "passing" || goesOn) this.later();
    else this.write("push");
    this.dragging = how === "live";
    if (this.dragging) [this.dragged, this.at] = [name, now];
    this.tell();
  }

  /** The end of a drag. */
  settle(): void {
    if (!this.dragging) return;
    this.dragging = false;
    this.write("replace");
  }

  subscribe(listener: (changed: Changed) => void): void {
    this.listeners.push(listener);
  }

  private follow(): void {
    clearTimeout(this.timer); // what was left must not replace what was gone to
    this.dragging = false;
    this.dragged = "";
    this.onFollow();
    const found = this.read(location.hash);
    for (const key of Object.keys(found) as (keyof State)[]) {
      if (JSON.stringify(this.state[key]) !== JSON.stringify(found[key])) this.changed.add(key);
    }
    if (!this.changed.size) return;
    this.state = found;
    this.tell();
  }

  private write(how: "push" | "replace"): void {
    clearTimeout(this.timer);
    const address = this.written(this.state);
    if (address === location.hash || (address === "#" && !location.hash)) return;
    try {
      history[how === "push" ? "pushState" : "replaceState"](null, "", address);
    } catch {
      // a frame without an address of its own (srcdoc), or a browser that has counted too many entries
    }
  }

  private later(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.write("replace"), QUIET);
  }

  private tell(): void {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      const changed = this.changed;
      this.changed = new Set();
      for (const listener of this.listeners) listener(changed);
    });
  }
}
