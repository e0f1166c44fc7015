/** Curves over one axis, drawn by uPlot: values under the pointer or by keyboard, zoom, a log axis where it fits. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./chart.css";
import { element, filled, shown, withMinus } from "./page";
import { named } from "./theme";
import { cut } from "./texts";

export interface Curve {
  label: string;
  colour: string; // its name in the style sheet
  dash?: number[];
  width?: number;
  alpha?: number;
  points?: boolean; // a mark at every point
  stepped?: boolean; // a value holds until the next one
  x: number[];
  y: (number | null)[];
}

/** A line across the chart with a word above it; of many, one word has their names. */
export interface Mark {
  x: number;
  label: string;
  name: string;
}

export interface ChartTexts {
  title: string;
  help: string;
  x: string; // the axis, with its unit
  y: string;
  log: string;
  logOfZero: string; // said where a log axis leaves values out
  toLog: string;
  toLinear: string;
  whole: string;
  zoomIn: string;
  zoomOut: string;
  manyMarks: string; // their {count} and {names}
}

export interface ChartOptions {
  texts: ChartTexts;
  curves: Curve[];
  marks?: Mark[];
  extent: [number, number]; // the whole axis
  reach: number; // how far from a place a curve's value may lie and still be shown there
  log?: boolean; // how it opens; where a value is negative, or none is positive, there is no log scale
  where: (x: number) => string; // a place on the axis in words, for the legend
  together: string; // charts with the same word zoom together, and show the same place
}

const HEIGHT = 250;
const STEPS = [1, 2, 5]; // between the numbers on an axis, times powers of ten
const INCREMENTS = Array.from({ length: 17 }, (_, power) => STEPS.map((step) => step * 10 ** (power - 5))).flat();
const MARK_ROWS = 4; // of words above a chart
const MARK_HEIGHT = 15;
const LOG_MARGIN = 0.05; // of a log axis, left free below the lowest value and above the highest
const ZOOM = 0.6; // of what is seen, after one press of +

/** Whether values spread so far that a log axis shows more: all positive, over more than a factor of 30. */
export function wantsLog(curves: Curve[]): boolean {
  const values = finite(curves);
  return canBeLog(values) && smallest(values) > 0 && spreads(values);
}

/** Whether values differ so much that most of them lie flat on a linear axis. */
export function spreads(values: number[]): boolean {
  return largest(values) > 30 * smallest(values);
}

const drawn = new Set<uPlot>();

/** Let go of all charts, before others are drawn in their place: those that zoom together know one another. */
export function clearCharts(): void {
  for (const plot of drawn) plot.destroy();
  drawn.clear();
}

/** Draw all charts again, as when the colours of the style sheet have changed. */
export function redrawCharts(): void {
  for (const plot of drawn) plot.redraw(false);
}

/** A figure with its heading, its buttons, the curves and their values. */
export function chart(options: ChartOptions): HTMLElement {
  const { texts, curves } = options;
  const values = finite(curves);
  const canLog = canBeLog(values);
  const logWords = smallest(values) > 0 ? texts.log : `${texts.log}; ${texts.logOfZero}`;
  let log = canLog && (options.log ?? wantsLog(curves));
  const unit = element("p", { class: "unit" });
  const place = element("div", {
    class: "chart",
    tabindex: "0",
    role: "application",
    "aria-label": `${texts.title}. ${texts.help}`,
  });
  const spoken = element("p", { class: "spoken", role: "status" });
  const scale = element("button", {
    type: "button",
    click: () => {
      log = !log;
      show();
    },
  });
  const whole = element("button", { type: "button", click: () => seeAll(plot, options.extent) }, texts.whole);
  const zoomed = (share: number, sign: string, label: string) =>
    element(
      "button",
      { type: "button", "aria-label": label, title: label, click: () => zoom(plot, share, options.extent) },
      sign,
    );
  const zooms = [zoomed(ZOOM, "+", texts.zoomIn), zoomed(1 / ZOOM, "−", texts.zoomOut)];
  const buttons = element("div", { class: "buttons" }, canLog ? scale : null, ...zooms, whole);
  const heading = element("h2", {}, texts.title);
  const figure = element(
    "figure",
    { class: "card" },
    element("div", { class: "heading" }, heading, buttons),
    unit,
    place,
    spoken,
  );

  let plot = made();
  function made(): uPlot {
    scale.textContent = log ? texts.toLinear : texts.toLog;
    unit.textContent = log ? `${texts.y} (${logWords})` : texts.y;
    unit.hidden = unit.textContent.toLowerCase() === texts.title.toLowerCase();
    const plot = new uPlot(plotOptions(options, log, place.clientWidth || 600), aligned(curves), place);
    drawn.add(plot);
    return plot;
  }
  function show(): void {
    const { min, max } = plot.scales.x!;
    drawn.delete(plot);
    plot.destroy();
    plot = made();
    plot.setScale("x", { min: min!, max: max! });
  }
  new ResizeObserver(() => {
    if (place.clientWidth > 0) plot.setSize({ width: place.clientWidth, height: plot.height });
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
  const [first, last] = seenAtFirst(places);
  const axis = {
    stroke: () => named("--quiet"),
    font: "12px system-ui, sans-serif",
    labelFont: "12px system-ui, sans-serif",
  };
  const all = log ? { filter: (_: uPlot, ticks: number[]) => ticks } : {};
  const marks = [...(options.marks ?? [])].sort((one, other) => other.x - one.x);
  const above = 12 + MARK_HEIGHT * (marks.length > MARK_ROWS ? 1 : marks.length);
  const grid = { stroke: () => named("--grid"), width: 1 };
  return {
    width,
    height: HEIGHT + above - 12,
    padding: [above, roomForLast(options.extent), 0, 0],
    scales: {
      x: { time: false, range: (_, low, high) => (low === first && high === last ? options.extent : [low, high]) },
      y: log ? { distr: 3, log: 10, range: logRange } : { distr: 1 },
    },
    axes: [
      {
        ...axis,
        grid,
        ticks: grid,
        label: texts.x,
        labelSize: 20,
        labelGap: 0,
        size: 32,
        incrs: INCREMENTS,
        values: (_, ticks) => ticks.map(counted),
      },
      {
        ...axis,
        grid: { ...grid, ...all },
        ticks: { ...grid, ...all },
        ...all,
        ...(log ? { splits: logTicks } : {}),
        incrs: (_, __, low, high) => (log ? [Math.max(5, high - low)] : increments(high - low)), // any, for logTicks
        size: 60,
        values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : numberOf(tick))),
      },
    ],
    series: [{ label: texts.x, value: (_, x) => (x === null ? "" : where(x)) }, ...options.curves.map(seriesOf)],
    cursor: {
      dataIdx: (plot, number, index) => (number === 0 ? index : nearest(plot, number, index, options.reach)!),
      drag: { x: true, y: false, setScale: true },
      points: { size: 7 },
      sync: { key: options.together, scales: ["x", null] },
    },
    legend: {
      live: true,
      markers: {
        stroke: (_, number) => `var(${options.curves[number - 1]?.colour})`,
        width: (_, number) => options.curves[number - 1]?.width ?? 2,
        dash: (_, number) => (options.curves[number - 1]?.dash?.length ? "dashed" : "solid"),
      },
    },
    hooks: { draw: [(plot) => drawMarks(plot, marks, texts.manyMarks)] },
  };
}

/** The part of the axis that uPlot shows first: from the first place to the last; around one that is alone. */
function seenAtFirst(places: number[]): [number, number] {
  const [first, last] = [smallest(places), largest(places)];
  return first === last ? (uPlot.rangeNum(first, last, 0.1, true) as [number, number]) : [first, last];
}

/** A value, on the axis and in the legend. */
function numberOf(value: number): string {
  return withMinus(shown(value));
}

/** A number of epochs or steps on the axis. */
function counted(tick: number): string {
  return tick.toLocaleString("en", { maximumFractionDigits: 5 });
}

/** Pixels on the right of the axis, for the half of its last number that stands beyond it. */
function roomForLast([, last]: [number, number]): number {
  return Math.max(12, 4 + 4 * counted(Math.round(last)).length);
}

/** A log axis on which no dot is cut by the edge. */
function logRange(_: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !(low > 0)) return [1, 10];
  const margin = Math.max(1.2, (high / low) ** LOG_MARGIN);
  return uPlot.rangeLog(Math.max(low / margin, 1e-307), Math.min(high * margin, 1e307), 10, false) as [number, number];
}

function seriesOf(curve: Curve): uPlot.Series {
  return {
    label: curve.label,
    stroke: () => named(curve.colour),
    width: curve.width ?? 2,
    alpha: curve.alpha ?? 1,
    dash: curve.dash ?? [],
    spanGaps: true,
    points: { show: curve.points === true, size: 5, fill: () => named(curve.colour) },
    paths: curve.stepped ? uPlot.paths.stepped!({ align: 1 }) : uPlot.paths.linear!(),
    value: (_, value) => (value === null || value === undefined ? "" : numberOf(value)),
  };
}

/** The index of a curve's value that lies nearest to a place; null where none is within reach. */
function nearest(plot: uPlot, curve: number, index: number, reach: number): number | null {
  const [places, values] = [plot.data[0], plot.data[curve]!];
  const distance = (other: number) => Math.abs(places[other]! - places[index]!);
  let [left, right] = [index, index];
  while (left >= 0 && values[left] == null) left--;
  while (right < values.length && values[right] == null) right++;
  const found = [left, right].filter((each) => each >= 0 && each < values.length && distance(each) <= reach);
  return found.length === 2 && distance(right) < distance(left) ? right : (found[0] ?? null);
}

/** What may lie between two numbers on an axis of values, whose span may be any; uPlot's own list ends. */
function increments(span: number): number[] {
  const power = Math.max(-300, Math.floor(Math.log10(span)));
  return [-3, -2, -1, 0, 1].flatMap((more) => [1, 2, 2.5, 5].map((step) => Number(`${step}e${power + more}`)));
}

/** The numbers on a log axis: powers of ten, as many as there is room for; multiples of one where there are few. */
function logTicks(_: uPlot, __: number, low: number, high: number): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const decades = Array.from({ length: last - first + 1 }, (_, place) => first + place);
  const isSeen = (tick: number) => tick >= low && tick <= high;
  const powers = decades.map((power) => Number(`1e${power}`));
  const seen = powers.filter(isSeen);
  if (seen.length < 2)
    return powers.flatMap((power) => Array.from({ length: 9 }, (_, digit) => (digit + 1) * power)).filter(isSeen);
  const every = Math.ceil(seen.length / 6);
  return decades
    .filter((power) => power % every === 0)
    .map((power) => Number(`1e${power}`))
    .filter(isSeen);
}

/**
 * Dashed lines where something happened, and words above the curves, each in a row of its own: the further left, the
 * higher. Where there are more than rows, one row has the names of all that are seen.
 */
function drawMarks(plot: uPlot, marks: Mark[], many: string): void {
  const { min, max } = plot.scales.x as { min: number; max: number };
  const seen = marks.filter(({ x }) => x >= min && x <= max);
  const names = seen.map(({ name }) => name).reverse();
  const word = filled(many, { count: names.length, names: names.join(", ") });
  seen.forEach(({ x, label }, row) => {
    if (marks.length <= MARK_ROWS || seen.length === 1) drawMark(plot, x, label, row);
    else drawMark(plot, x, row === seen.length - 1 ? word : "", 0);
  });
}

function drawMark(plot: uPlot, at: number, label: string, row: number): void {
  const { ctx, bbox } = plot;
  const x = plot.valToPos(at, "x", true);
  const bottom = bbox.top - (4 + MARK_HEIGHT * row) * devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = named("--warning-ink");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bottom);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  const text = cut(label, bbox.width, (each) => ctx.measureText(each).width);
  const right = bbox.left + bbox.width - ctx.measureText(text).width;
  ctx.fillText(text, Math.max(bbox.left, Math.min(x + 6 * devicePixelRatio, right)), bottom);
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
  if (high > low) for (const each of together(plot)) each.setScale("x", { min: low, max: high });
}

function seeAll(plot: uPlot, [min, max]: [number, number]): void {
  for (const each of together(plot)) each.setScale("x", { min, max });
}

/** The charts that show the same place. */
function together(plot: uPlot): uPlot[] {
  return uPlot.sync(plot.cursor.sync!.key!).plots;
}

/** What the legend shows, as one text. */
function inWords(plot: uPlot, { where, curves, reach }: ChartOptions): string {
  const index = plot.cursor.idx;
  if (index == null) return "";
  const said = curves.map((curve, number) => {
    const place = nearest(plot, number + 1, index, reach);
    const value = place === null ? null : plot.data[number + 1]![place];
    return value == null ? "" : `${curve.label}: ${numberOf(value)}`;
  });
  return [where(plot.data[0][index]!), ...said.filter((each) => each !== "")].join("; ");
}

// --- the values ------------------------------------------------------------------------------------------------------

function finite(curves: Curve[]): number[] {
  return curves.flatMap((curve) => curve.y.filter((value) => value !== null));
}

/** Whether there is a log axis: values of 0 lie below it. */
function canBeLog(values: number[]): boolean {
  return values.some((value) => value > 0) && values.every((value) => value >= 0);
}

function smallest(values: number[]): number {
  return values.reduce((one, other) => Math.min(one, other), Infinity);
}

function largest(values: number[]): number {
  return values.reduce((one, other) => Math.max(one, other), -Infinity);
}
