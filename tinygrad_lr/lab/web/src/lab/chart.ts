// Curves over an axis: losses over steps, a schedule's factors, losses over rates.
import { placer, reader, ticks, tickText, type Axis } from "./axes";
import { Canvas, FONT, type Theme } from "./canvas";
import { h, put } from "./dom";
import { inColumns } from "./lines";
import { trace, type Style } from "./palette";

export interface Series {
  name: string;
  xs: ArrayLike<number> | null; // null: 0, 1, 2, ...
  ys: ArrayLike<number>;
  length: number;
  style: Style;
  dashed?: boolean;
  dots?: boolean;
  band?: { low: ArrayLike<number>; high: ArrayLike<number> };
}

export interface Band {
  from: number;
  to: number;
  label: string;
  inForce?: boolean;
}

export interface Picture {
  x: Axis;
  y: Axis;
  series: Series[];
  cursor?: number;
  bands?: Band[];
  marks?: { x: number; label: string }[];
  reading?: (x: number) => string | null; // what is said beside the pointer
}

const LEFT = 60;
const RIGHT = 22; // half of the widest number below the axis
const TOP = 26; // the name of the axis stands above it
const BOTTOM = 40;

export class Chart extends Canvas {
  private picture: Picture | null = null;
  private readonly tip = h("div", { class: "tip", hidden: true });

  /** `onDrag`: told the number on the x axis under a pressed pointer. */
  constructor(name: string, height = 240, onDrag?: (x: number, ended: boolean) => void) {
    super(name, (width) => Math.min(height, Math.max(180, width * 0.62)));
    this.element.append(this.tip);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => (this.tip.hidden = true));
    if (onDrag) this.listen(onDrag);
  }

  show(picture: Picture): void {
    this.picture = picture;
    this.now();
  }

  protected paint(theme: Theme): void {
    const { picture } = this;
    if (!picture) return;
    const x = placer(picture.x, LEFT, this.width - RIGHT);
    const y = placer(picture.y, this.height - BOTTOM, TOP);
    this.paintBands(picture, theme, x);
    this.paintAxes(picture, theme, x, y);
    this.pen.save();
    this.pen.beginPath();
    this.pen.rect(LEFT - 4, TOP - 5, this.width - LEFT - RIGHT + 8, this.height - TOP - BOTTOM + 9);
    this.pen.clip();
    for (const series of picture.series) this.paintSeries(series, picture, theme, x, y);
    this.pen.restore();
    this.paintMarks(picture, theme, x);
  }

  private paintBands(picture: Picture, theme: Theme, x: (at: number) => number): void {
    const { pen } = this;
    (picture.bands ?? []).forEach((band, i) => {
      const from = Math.max(x(band.from), LEFT);
      const to = Math.min(x(band.to), this.width - RIGHT);
      if (to <= from) return;
      pen.fillStyle = band.inForce ? theme.accent : theme.shade;
      pen.globalAlpha = band.inForce ? 0.13 : i % 2 ? 0.05 : 0.02;
      pen.fillRect(from, TOP, to - from, this.height - TOP - BOTTOM);
      pen.globalAlpha = 1;
      const room = to - from - 8;
      pen.fillStyle = band.inForce ? theme.ink : theme.soft;
      pen.textAlign = "left";
      pen.textBaseline = "top";
      if (pen.measureText(band.label).width < room) pen.fillText(band.label, from + 5, TOP + 4);
    });
  }

  private paintAxes(
    { x: along, y: up }: Picture,
    theme: Theme,
    x: (at: number) => number,
    y: (at: number) => number,
  ): void {
    const { pen, width, height } = this;
    pen.strokeStyle = theme.faint;
    pen.fillStyle = theme.soft;
    pen.lineWidth = 1;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const tick of ticks(up, Math.floor((height - TOP - BOTTOM) / 34))) {
      const at = Math.round(y(tick)) + 0.5;
      this.line(LEFT, at, width - RIGHT, at);
      pen.fillText(tickText(tick, up.log), LEFT - 8, at);
    }
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (const tick of ticks(along, Math.floor((width - LEFT - RIGHT) / 64))) {
      const at = Math.round(x(tick)) + 0.5;
      this.line(at, height - BOTTOM, at, height - BOTTOM + 4);
      pen.fillText(tickText(tick, along.log), at, height - BOTTOM + 7);
    }
    this.line(LEFT, height - BOTTOM + 0.5, width - RIGHT, height - BOTTOM + 0.5);
    pen.textAlign = "right";
    pen.textBaseline = "bottom";
    pen.fillText(along.label, width - RIGHT, height - 2);
    pen.textAlign = "left";
    pen.textBaseline = "top";
    pen.fillText(up.label, 2, 2);
  }

  private paintSeries(
    series: Series,
    picture: Picture,
    theme: Theme,
    x: (at: number) => number,
    y: (at: number) => number,
  ): void {
    const { pen } = this;
    const colour = theme.dark ? series.style.dark : series.style.light;
    const at = (i: number) => x(series.xs ? series.xs[i]! : i);
    const { min, max, log } = picture.y;
    const [lowest, highest] = log ? [min / 10, max * 10] : [-Infinity, max + (max - min)]; // outside of the picture
    const place = (value: number) => y(value <= highest ? Math.max(value, lowest) : highest);
    if (series.band) {
      const { low, high } = series.band;
      pen.beginPath();
      for (let i = 0; i < series.length; i++) pen.lineTo(at(i), place(high[i]!));
      for (let i = series.length - 1; i >= 0; i--) pen.lineTo(at(i), place(low[i]!));
      pen.globalAlpha = 0.14;
      pen.fillStyle = colour;
      pen.fill();
      pen.globalAlpha = 1;
    }
    pen.strokeStyle = colour;
    pen.lineWidth = series.dashed ? 1.5 : 2;
    pen.lineJoin = "round";
    pen.setLineDash(series.dashed ? [3, 4] : series.style.dash);
    pen.beginPath();
    for (const point of inColumns(series.length, at, (i) => place(series.ys[i]!))) pen.lineTo(...point);
    pen.stroke();
    pen.setLineDash([]);
    if (!series.dots) return;
    pen.fillStyle = colour;
    for (let i = 0; i < series.length; i++) {
      if (!(series.ys[i]! >= min && series.ys[i]! <= max)) continue; // it has left the picture
      trace(pen, series.style.marker, at(i), place(series.ys[i]!), 3.4);
      pen.fill();
    }
  }

  private paintMarks(picture: Picture, theme: Theme, x: (at: number) => number): void {
    const { pen } = this;
    pen.font = FONT;
    for (const { x: at, label } of picture.marks ?? []) {
      const place = Math.round(x(at)) + 0.5;
      pen.strokeStyle = theme.soft;
      pen.setLineDash([2, 3]);
      this.line(place, TOP, place, this.height - BOTTOM);
      pen.setLineDash([]);
      pen.fillStyle = theme.soft;
      pen.textBaseline = "top";
      const left = place > this.width / 2;
      pen.textAlign = left ? "right" : "left";
      pen.fillText(label, place + (left ? -5 : 5), TOP + 2);
    }
    if (picture.cursor === undefined) return;
    const place = Math.round(x(picture.cursor)) + 0.5;
    pen.strokeStyle = theme.ink;
    pen.lineWidth = 1;
    this.line(place, TOP, place, this.height - BOTTOM);
  }

  private line(x0: number, y0: number, x1: number, y1: number): void {
    this.pen.beginPath();
    this.pen.moveTo(x0, y0);
    this.pen.lineTo(x1, y1);
    this.pen.stroke();
  }

  private under(event: PointerEvent): number | null {
    const { picture } = this;
    if (!picture) return null;
    const place = event.clientX - this.canvas.getBoundingClientRect().left;
    const found = reader(picture.x, LEFT, this.width - RIGHT)(place);
    return Math.min(Math.max(found, picture.x.min), picture.x.max);
  }

  private point(event: PointerEvent): void {
    const x = this.under(event);
    const text = x === null ? null : (this.picture?.reading?.(x) ?? null);
    this.tip.hidden = text === null;
    if (text === null) return;
    put(this.tip, text);
    const box = this.canvas.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    const flips = left > this.width / 2;
    this.tip.style.left = flips ? "" : `${left + 14}px`;
    this.tip.style.right = flips ? `${this.width - left + 14}px` : "";
    this.tip.style.top = `${Math.max(0, Math.min(top, this.height - this.tip.offsetHeight - 4))}px`;
  }

  private listen(onDrag: (x: number, ended: boolean) => void): void {
    this.canvas.classList.add("drag");
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      const x = this.under(event);
      if (x !== null) onDrag(x, false);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const x = this.canvas.hasPointerCapture(event.pointerId) ? this.under(event) : null;
      if (x !== null) onDrag(x, false);
    });
    this.canvas.addEventListener("pointerup", (event) => {
      const x = this.under(event);
      if (x !== null) onDrag(x, true);
    });
  }
}
