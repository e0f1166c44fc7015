// The state of the page, in one place: sections change it with `set`, and are told on the next frame. It stands in the
// address, so that it can be sent to somebody, and the browser's back and forward lead through what was done.
import type { State } from "./state";

export type Changed = ReadonlySet<keyof State>;

const QUIET = 300; // milliseconds without a change before the address follows a drag or a play

export class Store {
  state: State;
  private listeners: ((changed: Changed) => void)[] = [];
  private changed = new Set<keyof State>();
  private waiting = false;
  private dragging = false;
  private timer = 0;

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
    if (!this.changed.size) return;
    if (how === "once" || (how === "live" && !this.dragging)) this.write("push");
    else this.later();
    this.dragging = how === "live";
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
