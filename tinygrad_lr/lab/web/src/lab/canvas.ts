// A canvas that keeps its pixels sharp, follows the width of its place, and draws only when it can be seen.
import { followTheme, isDark, named } from "../common/theme";
import { h } from "./dom";

export interface Theme {
  dark: boolean;
  ink: string;
  soft: string; // axes' texts
  faint: string; // grid lines
  paper: string;
  accent: string;
  shade: string; // of heights on a map, with little opacity
  line: string; // of contours
}

const FIRST = "first picture"; // a mark in the browser's own measurements, for benchmarks/lab.py
const all = new Set<WeakRef<Canvas>>();
let theme: Theme | null = null;
const IDLE = 200; // milliseconds without a call before what cannot be seen is drawn: for print, and pictures of the page
let idle = 0;

function rest(): Canvas | undefined {
  return [...all].map((each) => each.deref()).find((each) => each?.waits);
}

function drawLater(wait: number): void {
  clearTimeout(idle);
  idle = window.setTimeout(() => {
    rest()?.draw();
    if (rest()) drawLater(0);
  }, wait);
}

/** Draw all that is not drawn yet. */
export function drawAll(): void {
  for (let next = rest(); next; next = rest()) next.draw();
}

/** Draw all canvases again when the colours change, or the size of the page, and with it that of its pixels. */
export function followBrowser(): void {
  const again = () => {
    theme = null;
    for (const each of all) each.deref()?.ask();
  };
  followTheme(again);
  addEventListener("resize", again);
}

function themeNow(): Theme {
  return {
    dark: isDark(),
    ink: named("--ink"),
    soft: named("--quiet"),
    faint: named("--line"),
    paper: named("--card"),
    accent: named("--accent"),
    shade: named("--shade"),
    line: named("--contour"),
  };
}

export const FONT =
  "12px system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'PingFang SC', 'Microsoft YaHei', sans-serif";

export abstract class Canvas {
  readonly element: HTMLDivElement;
  protected readonly canvas: HTMLCanvasElement;
  protected readonly pen: CanvasRenderingContext2D;
  protected width = 0;
  protected height = 0;
  private seen = false;
  private stale = true;
  private asked = false;

  /** `shape`: the height of a width. */
  constructor(
    name: string,
    private readonly shape: (width: number) => number,
  ) {
    this.canvas = h("canvas", { role: "img", "aria-label": name });
    this.element = h("div", { class: "canvas" }, this.canvas);
    this.pen = this.canvas.getContext("2d")!;
    new ResizeObserver(() => this.fit()).observe(this.element);
    new IntersectionObserver(
      (entries) => {
        this.seen = entries.at(-1)!.isIntersecting;
        if (this.seen && this.stale) this.ask();
      },
      { rootMargin: "200px" },
    ).observe(this.element);
    all.add(new WeakRef(this));
  }

  /** Draw on the next frame in which the canvas can be seen. */
  ask(): void {
    this.stale = true;
    if (!this.seen) drawLater(IDLE);
    if (this.asked || !this.seen || !this.width) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.now();
    });
  }

  /** Draw in this frame, if the canvas can be seen. */
  now(): void {
    this.stale = true;
    if (this.seen && this.width) this.draw();
    else drawLater(IDLE);
  }

  /** Whether the canvas has to be drawn. */
  get waits(): boolean {
    return this.stale && this.width > 0 && this.element.isConnected;
  }

  /** Draw, whether it can be seen or not. */
  draw(): void {
    this.stale = false;
    theme ??= themeNow();
    const [wide, high] = [this.width, this.height].map((each) => Math.round(each * this.density));
    if (this.canvas.width !== wide || this.canvas.height !== high)
      [this.canvas.width, this.canvas.height] = [wide!, high!];
    this.pen.setTransform(this.density, 0, 0, this.density, 0, 0);
    this.pen.clearRect(0, 0, this.width, this.height);
    this.pen.font = FONT;
    this.paint(theme);
    if (!performance.getEntriesByName(FIRST).length) performance.mark(FIRST);
  }

  /** What a screen reader says of the picture. */
  describe(text: string): void {
    if (this.canvas.getAttribute("aria-label") !== text) this.canvas.setAttribute("aria-label", text);
  }

  protected get density(): number {
    return Math.min(devicePixelRatio || 1, 3);
  }

  protected abstract paint(theme: Theme): void;

  private fit(): void {
    const width = Math.floor(this.element.clientWidth);
    if (!width || width === this.width) return;
    this.width = width;
    this.height = Math.round(this.shape(width));
    this.canvas.style.height = `${this.height}px`;
    this.stale = true;
    this.now();
  }
}
