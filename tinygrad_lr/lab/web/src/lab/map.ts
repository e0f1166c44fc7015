// A surface from above: contours with their values, the paths on it, start and minimum. A click sets the start.
import { cut } from "../common/texts";
import { placer, reader, ticks, tickText } from "./axes";
import { Canvas, FONT, type Theme } from "./canvas";
import { contours, type Level, type View } from "./contours";
import type { Point } from "./engine";
import { shown } from "./numbers";
import { trace, type Style } from "./palette";
import type { Path } from "./path";
import type { Problem } from "./problem";

export interface Drawn {
  path: Path;
  style: Style;
  dashed?: boolean;
}

export interface Scene {
  problem: Problem;
  names: [string, string]; // of the two parameters
  paths: Drawn[];
  step: number;
  arrows?: { from: Point; by: Point; strong?: boolean }[];
}

const MARGIN = 34; // for the numbers on the left and below
const DOTS = 120; // steps up to which each has a dot
const LEAST = 0.5; // pixels of a path that are drawn
const DASHED = 5000; // pixels after which a path lies over itself, and is drawn whole: dashes take long
const FAR_APART = 100; // pixels: as many count of a step, at most, as of one that diverges
const FAR = 1e4; // pixels: a path that leaves the picture is drawn this far

export class SurfaceMap extends Canvas {
  private scene: Scene | null = null;
  private ground: HTMLCanvasElement | null = null;
  private groundKey = "";
  private levels: Level[] = [];
  private view: View = { x: [-1, 1], y: [-1, 1] };

  constructor(
    name: string,
    private readonly onPick?: (place: Point) => void,
  ) {
    super(name, (width) => Math.max(240, Math.min(width * 0.86, 520)));
    if (!onPick) return;
    this.canvas.classList.add("pick");
    this.canvas.addEventListener("click", (event) => this.pick(event));
  }

  show(scene: Scene): void {
    this.scene = scene;
    this.now();
  }

  protected paint(theme: Theme): void {
    if (!this.scene) return;
    this.view = this.viewOf(this.scene.problem);
    this.pen.drawImage(this.groundFor(this.scene, theme), 0, 0, this.width, this.height);
    this.pen.save();
    this.pen.beginPath();
    this.pen.rect(MARGIN, 0, this.width - MARGIN, this.height - MARGIN);
    this.pen.clip();
    this.paintMinimum(this.scene.problem.minimum, theme);
    this.paintMinimum(this.scene.problem.twin, theme);
    for (const drawn of this.scene.paths) this.paintPath(drawn, this.scene.step, theme);
    for (const arrow of this.scene.arrows ?? []) this.paintArrow(arrow, theme);
    this.paintStart(this.scene.problem, theme);
    for (const drawn of this.scene.paths) this.paintHead(drawn, this.scene.step, theme);
    this.pen.restore();
  }

  private get x(): (x: number) => number {
    return placer({ min: this.view.x[0], max: this.view.x[1], label: "" }, MARGIN, this.width);
  }

  private get y(): (y: number) => number {
    return placer({ min: this.view.y[0], max: this.view.y[1], label: "" }, this.height - MARGIN, 0);
  }

  /** What is seen of a surface: both directions at one scale, so that a gradient is square to its contour. */
  private viewOf({ seen: [x, y] }: Problem): View {
    const [wide, high] = [this.width - MARGIN, this.height - MARGIN];
    const scale = Math.max((x[1] - x[0]) / wide, (y[1] - y[0]) / high);
    const around = ([low, top]: Point, pixels: number): Point => {
      const [middle, half] = [(low + top) / 2, (pixels * scale) / 2];
      return [middle - half, middle + half];
    };
    return { x: around(x, wide), y: around(y, high) };
  }

  /** Contours, their values and the axes, which change with the surface, the size and the theme only. */
  private groundFor({ problem, names }: Scene, theme: Theme): HTMLCanvasElement {
    const key = JSON.stringify([problem.key, this.view, names, this.density, theme]);
    if (this.ground && this.groundKey === key) return this.ground;
    const [wide, high] = [this.width - MARGIN, this.height - MARGIN];
    this.levels = contours(problem, this.view, Math.round(wide / problem.grain), Math.round(high / problem.grain));
    this.ground = document.createElement("canvas");
    this.ground.width = this.canvas.width;
    this.ground.height = this.canvas.height;
    const pen = this.ground.getContext("2d")!;
    pen.scale(this.density, this.density);
    pen.font = FONT;
    this.paintContours(pen, theme);
    this.paintAxes(pen, names, theme);
    this.groundKey = key;
    return this.ground;
  }

  private paintContours(pen: CanvasRenderingContext2D, theme: Theme): void {
    const [x, y] = [this.x, this.y];
    pen.save();
    pen.beginPath();
    pen.rect(MARGIN, 0, this.width - MARGIN, this.height - MARGIN);
    pen.clip();
    for (const { rings } of this.levels) {
      pen.beginPath();
      for (const ring of rings) {
        ring.forEach(([a, b], i) => (i ? pen.lineTo(x(a), y(b)) : pen.moveTo(x(a), y(b))));
        pen.closePath();
      }
      pen.fillStyle = theme.shade;
      pen.globalAlpha = 0.045;
      pen.fill("evenodd");
      pen.globalAlpha = 1;
      pen.strokeStyle = theme.line;
      pen.lineWidth = 1;
      pen.stroke();
    }
    this.paintValues(pen, theme);
    pen.restore();
  }

  /** The value of a level, where its contour crosses the longest way out of the minimum, if there is room for it. */
  private paintValues(pen: CanvasRenderingContext2D, theme: Theme): void {
    const [a, b, angle] = this.wayOut();
    const taken: Point[] = [];
    pen.font = FONT.replace("12px", "10.5px");
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    for (const { value, rings } of this.levels) {
      let [place, off]: [Point | null, number] = [null, 0.12];
      for (const [x, y] of rings.flat().map(([x, y]): Point => [this.x(x), this.y(y)])) {
        const turned = Math.abs(
          Math.atan2(Math.sin(Math.atan2(y - b, x - a) - angle), Math.cos(Math.atan2(y - b, x - a) - angle)),
        );
        const inside = x > MARGIN + 24 && x < this.width - 24 && y > 14 && y < this.height - MARGIN - 14;
        if (turned < off && inside && taken.every(([c, d]) => Math.hypot(x - c, 1.5 * (y - d)) > 38))
          [place, off] = [[x, y], turned];
      }
      if (!place) continue;
      taken.push(place);
      pen.strokeStyle = theme.paper;
      pen.lineWidth = 3.5;
      pen.strokeText(shown(value, 3), ...place);
      pen.fillStyle = theme.soft;
      pen.fillText(shown(value, 3), ...place);
    }
  }

  /** A place and the direction from it to a far corner: from the minimum, or the middle, away from the first start. */
  private wayOut(): [number, number, number] {
    const [right, bottom] = [this.width, this.height - MARGIN];
    const { minimum, home } = this.scene!.problem;
    const from: Point = minimum ? [this.x(minimum[0]), this.y(minimum[1])] : [(MARGIN + right) / 2, bottom / 2];
    const corners: Point[] = [
      [right - 30, 20],
      [right - 30, bottom - 20],
      [MARGIN + 30, bottom - 20],
      [MARGIN + 70, 40],
    ];
    const start = Math.atan2(this.y(home[1]) - from[1], this.x(home[0]) - from[0]);
    const [, , angle] = corners
      .map(([x, y]) => [x - from[0], y - from[1]] as const)
      .map(([x, y]): [number, number, number] => [x, y, Math.atan2(y, x)])
      .reduce((one, each) => (goodness(each, start) > goodness(one, start) ? each : one));
    return [...from, angle];
  }

  private paintAxes(pen: CanvasRenderingContext2D, names: [string, string], theme: Theme): void {
    const bottom = this.height - MARGIN;
    pen.font = FONT;
    pen.strokeStyle = theme.faint;
    pen.strokeRect(MARGIN + 0.5, 0.5, this.width - MARGIN - 1, bottom - 1);
    pen.fillStyle = theme.soft;
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (const tick of ticks({ min: this.view.x[0], max: this.view.x[1], label: "" }, this.width / 80)) {
      if (this.x(tick) > MARGIN + 12 && this.x(tick) < this.width - 12)
        pen.fillText(tickText(tick), this.x(tick), bottom + 5);
    }
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const tick of ticks({ min: this.view.y[0], max: this.view.y[1], label: "" }, this.height / 70)) {
      if (this.y(tick) > 20 && this.y(tick) < bottom - 8) pen.fillText(tickText(tick), MARGIN - 4, this.y(tick));
    }
    const fitting = (name: string) => cut(name, this.width / 2, (text) => pen.measureText(text).width);
    pen.textAlign = "right";
    pen.textBaseline = "bottom";
    pen.fillText(fitting(names[0]), this.width - 2, this.height - 1);
    pen.textAlign = "left";
    pen.textBaseline = "top";
    pen.strokeStyle = theme.paper;
    pen.lineWidth = 4;
    pen.lineJoin = "round";
    pen.strokeText(fitting(names[1]), MARGIN + 6, 6);
    pen.fillText(fitting(names[1]), MARGIN + 6, 6);
  }

  private paintMinimum(minimum: Point | null, theme: Theme): void {
    if (!minimum) return;
    const [a, b] = [this.x(minimum[0]), this.y(minimum[1])];
    this.pen.strokeStyle = theme.ink;
    this.pen.lineWidth = 1.5;
    for (const [dx, dy] of [
      [6, 0],
      [0, 6],
    ] as const)
      this.segment(a - dx, b - dy, a + dx, b + dy);
  }

  private paintStart({ start }: Problem, theme: Theme): void {
    this.pen.beginPath();
    this.pen.arc(this.x(start[0]), this.y(start[1]), 5.5, 0, 2 * Math.PI);
    this.pen.fillStyle = theme.paper;
    this.pen.fill();
    this.pen.strokeStyle = theme.ink;
    this.pen.lineWidth = 1.5;
    this.pen.stroke();
  }

  private paintPath({ path, style, dashed }: Drawn, step: number, theme: Theme): void {
    const { pen } = this;
    const [x, y] = [this.x, this.y];
    const last = Math.min(step, path.made);
    if (path.error !== null) return;
    pen.strokeStyle = pen.fillStyle = theme.dark ? style.dark : style.light;
    pen.lineWidth = dashed ? 1.5 : 2;
    pen.lineJoin = "round";
    pen.setLineDash(dashed ? [3, 4] : style.dash);
    pen.beginPath();
    let [before, beside, length] = [NaN, NaN, 0];
    for (let i = 0; i <= last; i++) {
      const [a, b] = [near(x(path.xs[i]!)), near(y(path.ys[i]!))];
      const way = Math.abs(a - before) + Math.abs(b - beside);
      if (i < last && way < LEAST) continue;
      pen.lineTo(a, b);
      [before, beside, length] = [a, b, length + Math.min(way || 0, FAR_APART)];
      if (length < DASHED) continue;
      pen.stroke();
      pen.setLineDash([]);
      pen.beginPath();
      pen.moveTo(a, b);
      length = -Infinity;
    }
    pen.stroke();
    pen.setLineDash([]);
    if (last > DOTS || dashed) return;
    pen.beginPath();
    for (let i = 1; i < last; i++) {
      const [a, b] = [near(x(path.xs[i]!)), near(y(path.ys[i]!))];
      pen.moveTo(a + 2, b);
      pen.arc(a, b, 2, 0, 2 * Math.PI);
    }
    pen.fill();
  }

  private paintHead({ path, style, dashed }: Drawn, step: number, theme: Theme): void {
    if (path.error !== null) return;
    const last = Math.min(step, path.made);
    const [a, b] = [this.x(path.xs[last]!), this.y(path.ys[last]!)];
    trace(this.pen, style.marker, near(a), near(b), 5.5);
    this.pen.lineWidth = 1.5;
    this.pen.fillStyle = dashed ? theme.paper : theme.dark ? style.dark : style.light;
    this.pen.strokeStyle = dashed ? (theme.dark ? style.dark : style.light) : theme.paper;
    this.pen.fill();
    this.pen.stroke();
  }

  private paintArrow({ from, by, strong }: { from: Point; by: Point; strong?: boolean }, theme: Theme): void {
    const [a, b] = [this.x(from[0]), this.y(from[1])];
    const [c, d] = [this.x(from[0] + by[0]), this.y(from[1] + by[1])];
    this.pen.strokeStyle = strong ? theme.ink : theme.accent;
    this.pen.globalAlpha = strong ? 1 : 0.45;
    this.pen.lineWidth = strong ? 3 : 1.2;
    this.segment(a, b, c, d);
    const angle = Math.atan2(d - b, c - a);
    for (const turn of [2.6, -2.6]) {
      const size = strong ? 9 : 5;
      this.segment(c, d, c + size * Math.cos(angle + turn), d + size * Math.sin(angle + turn));
    }
    this.pen.globalAlpha = 1;
  }

  private segment(x0: number, y0: number, x1: number, y1: number): void {
    this.pen.beginPath();
    this.pen.moveTo(x0, y0);
    this.pen.lineTo(x1, y1);
    this.pen.stroke();
  }

  private pick(event: MouseEvent): void {
    const box = this.canvas.getBoundingClientRect();
    const [a, b] = [event.clientX - box.left, event.clientY - box.top];
    if (!this.scene || a < MARGIN || b > this.height - MARGIN) return;
    const read = ([min, max]: Point, from: number, to: number, place: number) =>
      Number(reader({ min, max, label: "" }, from, to)(place).toPrecision(3));
    this.onPick!([read(this.view.x, MARGIN, this.width, a), read(this.view.y, this.height - MARGIN, 0, b)]);
  }
}

/** A place of a path that may lie anywhere: canvases draw wrong what is too far away. */
function near(place: number): number {
  return Number.isNaN(place) ? FAR : Math.min(Math.max(place, -FAR), FAR);
}

/** How good a way out is for the contours' values: long, and not where paths come from. */
function goodness([x, y, angle]: [number, number, number], start: number): number {
  return Math.hypot(x, y) * (2 - Math.cos(angle - start));
}
