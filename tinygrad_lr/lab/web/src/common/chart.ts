/** Curves over a common axis, drawn by uPlot: values under the pointer or by keyboard, zoom, a log axis where it fits. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./chart.css";
import { named } from "./colours";
import { element, shown } from "./page";

export interface Curve {
  label: string;
  colour: string;
  dash?: number[];
  width?: number;
  alpha?: number;
  points?: boolean; // a mark at every point
  stepped?: boolean; // a value holds until the next one
  x: number[];
  y: (number | null)[];
}

/** A line across the chart with a word at its top. */
export interface Mark {
  x: number;
  label: string;
}

export interface ChartTexts {
  title: string;
  help: string;
  x: string; // the axis, with its unit
  y: string;
  log: string;
  toLog: string;
  toLinear: string;
  whole: string;
}

export interface ChartOptions {
  texts: ChartTexts;
  curves: Curve[];
  marks?: Mark[];
  extent: [number, number]; // the whole axis
  log?: boolean; // how it opens; where a value is not positive, there is no log scale
  where: (x: number) => string; // a place on the axis in words, for the legend
  together: string; // charts with the same word zoom together, and show the same place
}

const HEIGHT = 250;
const STEPS = [1, 2, 5]; // between the numbers on an axis, times powers of ten
const INCREMENTS = Array.from({ length: 17 }, (_, power) => STEPS.map((step) => step * 10 ** (power - 5))).flat();
const ZOOM = 0.6; // of what is seen, after one press of +

/** Whether values spread so far that a log axis shows more: all positive, over more than a factor of 30. */
export function wantsLog(curves: Curve[]): boolean {
  const values = finite(curves);
  return allPositive(values) && largest(values) > 30 * smallest(values);
}

/** A figure with its heading, its buttons, the curves and their values. */
export function chart(options: ChartOptions): HTMLElement {
  const { texts, curves } = options;
  const canLog = allPositive(finite(curves));
  let log = canLog && (options.log ?? wantsLog(curves));
  const unit = element("p", { class: "unit" });
  const place = element("div", {
    class: "chart", tabindex: "0", role: "application", "aria-label": `${texts.title}. ${texts.help}`,
  });
  const spoken = element("p", { class: "spoken", role: "status" });
  const scale = element("button", { type: "button", click: () => { log = !log; show(); } });
  const whole = element("button", { type: "button", click: () => seeAll(plot, options.extent) }, texts.whole);
  const buttons = element("div", { class: "buttons" }, canLog ? scale : null, whole);
  const heading = element("h2", {}, texts.title);
  const figure = element("figure", { class: "card" }, element("div", { class: "heading" }, heading, buttons), unit, place, spoken);

  let plot = made();
  function made(): uPlot {
    scale.textContent = log ? texts.toLinear : texts.toLog;
    unit.textContent = log ? `${texts.y} (${texts.log})` : texts.y;
    return new uPlot(plotOptions(options, log, place.clientWidth || 600), aligned(curves), place);
  }
  function show(): void {
    const { min, max } = plot.scales.x!;
    plot.destroy();
    plot = made();
    plot.setScale("x", { min: min!, max: max! });
  }
  new ResizeObserver(() => {
    if (place.clientWidth > 0) plot.setSize({ width: place.clientWidth, height: HEIGHT });
  }).observe(place);
  place.addEventListener("keydown", (event) => {
    if (pressed(plot, event.key, options.extent)) {
      event.preventDefault();
      spoken.textContent = inWords(plot, options);
    }
  });
  return figure;
}

/** The places of all curves, and the values of each there; null where it has none. */
function aligned(curves: Curve[]): uPlot.AlignedData {
  return uPlot.join(curves.map((curve) => [curve.x, curve.y]));
}

function plotOptions(options: ChartOptions, log: boolean, width: number): uPlot.Options {
  const { texts, where } = options;
  const places = options.curves.flatMap((curve) => curve.x);
  const [first, last] = [smallest(places), largest(places)];
  const axis = { stroke: named("--quiet"), font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif" };
  const grid = { stroke: named("--grid"), width: 1 };
  return {
    width,
    height: HEIGHT,
    padding: [12, 12, 0, 0],
    scales: { x: { time: false, range: (_, low, high) => (low === first && high === last ? options.extent : [low, high]) }, y: log ? { distr: 3, log: 10 } : { distr: 1 } },
    axes: [
      { ...axis, grid, ticks: grid, label: texts.x, labelSize: 20, labelGap: 0, size: 32, incrs: INCREMENTS },
      {
        ...axis, grid, ticks: grid, size: 60,
        values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : shown(tick))),
      },
    ],
    series: [
      { label: texts.x, value: (_, x) => (x === null ? "" : where(x)) },
      ...options.curves.map(seriesOf),
    ],
    cursor: {
      dataIdx: (plot, number, index) => (number === 0 ? index : nearest(plot.data[number]!, plot.data[0], index)),
      drag: { x: true, y: false, setScale: true },
      points: { size: 7 },
      sync: { key: options.together, scales: ["x", null] },
    },
    legend: { live: true, markers: { dash: (_, number) => (options.curves[number - 1]?.dash?.length ? "dashed" : "solid") } },
    hooks: { draw: [(plot) => options.marks?.forEach((mark) => drawMark(plot, mark))] },
  };
}

function seriesOf(curve: Curve): uPlot.Series {
  return {
    label: curve.label,
    stroke: curve.colour,
    width: curve.width ?? 2,
    alpha: curve.alpha ?? 1,
    dash: curve.dash ?? [],
    spanGaps: true,
    points: { show: curve.points === true, size: 5, fill: curve.colour },
    paths: curve.stepped ? uPlot.paths.stepped!({ align: 1 }) : uPlot.paths.linear!(),
    value: (_, value) => (value === null || value === undefined ? "" : shown(value)),
  };
}

/** The index of the value that lies nearest to another one's place. */
function nearest(values: ArrayLike<number | null | undefined>, places: ArrayLike<number>, index: number): number {
  let [left, right] = [index, index];
  while (left >= 0 && values[left] == null) left--;
  while (right < values.length && values[right] == null) right++;
  if (left < 0) return right < values.length ? right : index;
  if (right >= values.length) return left;
  return places[index]! - places[left]! <= places[right]! - places[index]! ? left : right;
}

/** A dashed line with a word, where something happened. */
function drawMark(plot: uPlot, mark: Mark): void {
  const { ctx, bbox } = plot;
  const x = plot.valToPos(mark.x, "x", true);
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = named("--warning-ink");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  const right = x > bbox.left + bbox.width / 2;
  ctx.textAlign = right ? "right" : "left";
  ctx.fillText(mark.label, x + (right ? -6 : 6) * devicePixelRatio, bbox.top + 14 * devicePixelRatio);
  ctx.restore();
}

// --- keyboard --------------------------------------------------------------------------------------------------------

/** Do what a key asks for; returns whether it asked for anything. */
function pressed(plot: uPlot, key: string, extent: [number, number]): boolean {
  const places = plot.data[0];
  const at = plot.cursor.idx ?? null;
  if (key === "ArrowLeft" || key === "ArrowRight") {
    const next = at === null ? 0 : at + (key === "ArrowLeft" ? -1 : 1);
    goTo(plot, Math.max(0, Math.min(places.length - 1, next)));
  } else if (key === "Home" || key === "End") goTo(plot, key === "Home" ? 0 : places.length - 1);
  else if (key === "+" || key === "=") zoom(plot, ZOOM, extent);
  else if (key === "-") zoom(plot, 1 / ZOOM, extent);
  else if (key === "0") seeAll(plot, extent);
  else return false;
  return true;
}

function goTo(plot: uPlot, index: number): void {
  const x = plot.data[0][index]!;
  const { min, max } = plot.scales.x as { min: number; max: number };
  if (x < min || x > max) plot.setScale("x", { min: x - (max - min) / 2, max: x + (max - min) / 2 });
  plot.setCursor({ left: plot.valToPos(x, "x"), top: plot.over.clientHeight / 2 });
}

/** See another share of the axis around the cursor, and no more than all. */
function zoom(plot: uPlot, share: number, [first, last]: [number, number]): void {
  const { min, max } = plot.scales.x as { min: number; max: number };
  const index = plot.cursor.idx;
  const centre = index == null ? (min + max) / 2 : plot.data[0][index]!;
  const low = Math.max(first, centre - (centre - min) * share);
  const high = Math.min(last, centre + (max - centre) * share);
  if (high > low) plot.setScale("x", { min: low, max: high });
}

function seeAll(plot: uPlot, [min, max]: [number, number]): void {
  for (const each of uPlot.sync(plot.cursor.sync!.key!).plots) each.setScale("x", { min, max });
}

/** What the legend shows, as one text. */
function inWords(plot: uPlot, { where, curves }: ChartOptions): string {
  const index = plot.cursor.idx;
  if (index == null) return "";
  const said = curves.map((curve, number) => {
    const value = plot.data[number + 1]![nearest(plot.data[number + 1]!, plot.data[0], index)];
    return value == null ? "" : `${curve.label}: ${shown(value)}`;
  });
  return [where(plot.data[0][index]!), ...said.filter((each) => each !== "")].join("; ");
}

// --- the values ------------------------------------------------------------------------------------------------------

function finite(curves: Curve[]): number[] {
  return curves.flatMap((curve) => curve.y.filter((value) => value !== null));
}

function allPositive(values: number[]): boolean {
  return values.length > 0 && values.every((value) => value > 0);
}

function smallest(values: number[]): number {
  return values.reduce((one, other) => Math.min(one, other), Infinity);
}

function largest(values: number[]): number {
  return values.reduce((one, other) => Math.max(one, other), -Infinity);
}
