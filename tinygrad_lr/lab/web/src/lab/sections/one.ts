// Section 1: one parameter on the curve y = curvature / 2 x^2, and what the rate makes of it.
import { linearTicks, placer, reader, tickText } from "../axes";
import { Canvas, type Theme } from "../canvas";
import { Chart } from "../chart";
import { slider } from "../controls";
import type { Lab } from "../lab";
import { h, put } from "../dom";
import type { Engine } from "../engine";
import { lossAxis, lossSeries, outcome, reading } from "../experiment";
import { caption, frame, sideBySide, updateAll, type Section } from "../layout";
import { clamped, shown } from "../numbers";
import { styleOf, trace } from "../palette";
import type { Path } from "../path";
import { t, type Key } from "../text";

const SIDE = 2.2; // the curve is drawn from -SIDE to SIDE
const STYLE = 0; // the number of its style

/** Gradient descent by the engine's SGD: a path whose second coordinate does not exist. */
export function descent(engine: Engine, curvature: number, rate: number, from: number, steps: number): Path {
  const run = engine.start("sgd", [{ values: { lr: rate }, params: [{ shape: [1], value: [from] }] }]);
  const path: Path = {
    xs: new Float32Array(steps + 1),
    ys: new Float32Array(0),
    losses: new Float64Array(steps + 1),
    made: 0,
    diverged: null,
    error: null,
  };
  for (let step = 0; step <= steps; step++) {
    const x = run.groups[0]!.params[0]!.value[0]!;
    path.xs[step] = x;
    path.losses[step] = engine.surfaces.parabola!.value(x, 0, { curvature });
    path.made = step;
    const [gradient] = engine.surfaces.parabola!.gradient(x, 0, { curvature });
    if (!Number.isFinite(path.losses[step]!) || !Number.isFinite(gradient)) {
      path.diverged = step;
      break;
    }
    if (step < steps) run.step([[Float32Array.of(gradient)]]);
  }
  return path;
}

export type Verdict = "small" | "good" | "one" | "swinging" | "edge" | "beyond";

/** What a rate does, by the factor 1 - rate curvature with which each step multiplies the distance. */
export function verdict(rate: number, curvature: number): Verdict {
  const factor = 1 - rate * curvature;
  if (Math.abs(factor) < 1e-9) return "one";
  if (Math.abs(factor + 1) < 1e-9) return "edge";
  if (factor < -1) return "beyond";
  return factor > 0.9 ? "small" : factor > 0 ? "good" : "swinging";
}

export function sectionOne({ engine, store }: Lab): Section {
  const state = () => store.state;
  const curve = new Curve(t("curveOf"), (from) => store.set({ from }));
  const line = new RateLine(t("rateLineOf"), (rate, ended) => {
    store.set({ rate }, "live");
    if (ended) store.settle();
  });
  const losses = new Chart(t("lossesOf"), 200);
  const said = h("p", { class: "verdict", role: "status" });
  const one = (key: "rate" | "curvature" | "from", label: Key, min: number, max: number, log: boolean) =>
    slider({
      label: t(label),
      min,
      max,
      log,
      value: () => state()[key],
      set: (value, live) => store.set({ [key]: value }, live ? "live" : "once"),
    });
  const controls = [
    one("rate", "rate", 0.001, 100, true),
    one("curvature", "curvature", 0.05, 20, true),
    one("from", "startX", -2, 2, false),
  ];
  const element = frame(
    "one",
    "oneTitle",
    "oneText",
    {},
    sideBySide(
      [curve.element, caption(t("oneCaption"))],
      [...controls.map((each) => each.element), line.element, said, losses.element],
    ),
  );
  let [path, made]: [Path | null, string] = [null, ""];
  const update = () => {
    updateAll(controls);
    const { rate, curvature, from, steps, step } = state();
    const key = JSON.stringify([curvature, rate, from, steps]);
    if (!path || key !== made) [path, made] = [descent(engine, curvature, rate, from, steps), key];
    curve.show({ curvature, path, step, value: (x) => engine.surfaces.parabola!.value(x, 0, { curvature }) });
    line.show({ rate, curvature });
    const found = verdict(rate, curvature);
    put(said, t(`verdict_${found}`, { factor: shown(1 - rate * curvature, 3), edge: shown(2 / curvature, 3) }));
    curve.describe(
      t("curveSays", { rate: shown(rate), curvature: shown(curvature), step, outcome: outcome(path, step) }),
    );
    line.describe(said.textContent ?? "");
    const series = [lossSeries(path, STYLE, t("loss"))];
    losses.show({
      x: { min: 0, max: steps, label: t("stepAxis") },
      y: lossAxis(series),
      series,
      cursor: step,
      reading: reading([t("loss")], [path]),
    });
    losses.describe(t("lossesSay", { step, paths: outcome(path, step) }));
  };
  return { id: "one", element, needsPaths: false, update };
}

interface Shown {
  curvature: number;
  path: Path;
  step: number;
  value(x: number): number;
}

class Curve extends Canvas {
  private shown: Shown | null = null;

  constructor(
    name: string,
    private readonly onPick: (x: number) => void,
  ) {
    super(name, (width) => Math.max(240, Math.min(width * 0.78, 430)));
    this.canvas.classList.add("pick");
    this.canvas.addEventListener("click", (event) => {
      const box = this.canvas.getBoundingClientRect();
      this.onPick(clamped(Number(reader(this.along, 0, this.width)(event.clientX - box.left).toPrecision(3)), -2, 2));
    });
  }

  show(shown: Shown): void {
    this.shown = shown;
    this.now();
  }

  private readonly along = { min: -SIDE, max: SIDE, label: "" };

  protected paint(theme: Theme): void {
    const { pen, width, height, shown: now } = this;
    if (!now) return;
    const top = (now.curvature / 2) * SIDE * SIDE;
    const x = placer(this.along, 0, width);
    const y = placer({ min: -0.06 * top, max: top, label: "" }, height - 22, 6);
    pen.fillStyle = theme.soft;
    pen.strokeStyle = theme.faint;
    pen.textAlign = "center";
    pen.textBaseline = "bottom";
    for (const tick of linearTicks(-2, 2, Math.min(8, width / 60))) pen.fillText(tickText(tick), x(tick), height - 2);
    pen.strokeRect(0.5, y(0), width - 1, 0);
    pen.beginPath();
    for (let i = 0; i <= 120; i++) {
      const at = -SIDE + (i / 120) * 2 * SIDE;
      pen.lineTo(x(at), y(now.value(at)));
    }
    pen.strokeStyle = theme.soft;
    pen.lineWidth = 1.5;
    pen.stroke();
    this.paintPath(now, theme, x, y);
  }

  private paintPath({ path, step }: Shown, theme: Theme, x: (at: number) => number, y: (at: number) => number): void {
    const { pen } = this;
    const style = styleOf(STYLE);
    const last = Math.min(step, path.made);
    const place = (i: number): [number, number] => [
      clamped(x(path.xs[i]!), -1e4, 1e4),
      clamped(y(path.losses[i]!), -1e4, 1e4),
    ];
    pen.strokeStyle = pen.fillStyle = theme.dark ? style.dark : style.light;
    pen.lineWidth = 1.5;
    pen.beginPath();
    for (let i = 0; i <= last; i++) pen.lineTo(...place(i));
    pen.globalAlpha = 0.75;
    pen.stroke();
    pen.globalAlpha = 1;
    for (let i = Math.max(0, last - 200); i < last; i++) {
      trace(pen, "circle", ...place(i), 3);
      pen.fill();
    }
    trace(pen, "circle", ...place(last), 6.5);
    pen.fill();
    pen.strokeStyle = theme.paper;
    pen.stroke();
    trace(pen, "circle", ...place(0), 5.5);
    pen.fillStyle = theme.paper;
    pen.fill();
    pen.strokeStyle = theme.ink;
    pen.stroke();
  }
}

/** The rates on a line: too small, good, swinging, and beyond the edge at 2 / curvature. */
class RateLine extends Canvas {
  private shown: { rate: number; curvature: number } | null = null;

  constructor(name: string, onDrag: (rate: number, ended: boolean) => void) {
    super(name, () => 74);
    this.canvas.classList.add("drag");
    const read = (event: PointerEvent, ended: boolean) => {
      const box = this.canvas.getBoundingClientRect();
      const rate = reader(this.axis(), 8, this.width - 8)(event.clientX - box.left);
      onDrag(clamped(Number(rate.toPrecision(3)), 0.001, 100), ended);
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      read(event, false);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (this.canvas.hasPointerCapture(event.pointerId)) read(event, false);
    });
    this.canvas.addEventListener("pointerup", (event) => read(event, true));
  }

  show(shown: { rate: number; curvature: number }): void {
    this.shown = shown;
    this.now();
  }

  private axis() {
    return { min: 0, max: 2.6 / (this.shown?.curvature ?? 1), label: "" };
  }

  protected paint(theme: Theme): void {
    const { pen, width, shown: now } = this;
    if (!now) return;
    const x = placer(this.axis(), 8, width - 8);
    const edges = [0, 0.1, 1, 2, 2.6].map((each) => x(each / now.curvature));
    const alphas = [0.06, 0.3, 0.16, 0.05];
    const names: Key[] = ["zoneSmall", "zoneGood", "zoneSwinging", "zoneBeyond"];
    names.forEach((name, i) => {
      const [from, to] = [edges[i]!, edges[i + 1]!];
      pen.fillStyle = i === 3 ? theme.ink : theme.accent;
      pen.globalAlpha = alphas[i]!;
      pen.fillRect(from, 22, to - from, 20);
      pen.globalAlpha = 1;
      pen.fillStyle = theme.soft;
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      if (pen.measureText(t(name)).width < to - from - 4) pen.fillText(t(name), (from + to) / 2, 32);
    });
    pen.strokeStyle = theme.ink;
    pen.lineWidth = 1.5;
    for (const [at, label] of [
      [1, "1/"],
      [2, "2/"],
    ] as const) {
      pen.beginPath();
      pen.moveTo(x(at / now.curvature), 20);
      pen.lineTo(x(at / now.curvature), 46);
      pen.stroke();
      pen.fillStyle = theme.soft;
      pen.textBaseline = "top";
      pen.textAlign = "center";
      pen.fillText(`${label}${t("curvatureShort")} = ${shown(at / now.curvature, 3)}`, x(at / now.curvature), 50);
    }
    const style = styleOf(STYLE);
    pen.fillStyle = theme.dark ? style.dark : style.light;
    trace(pen, "down", clamped(x(now.rate), 8, width - 8), 12, 7);
    pen.fill();
  }
}
