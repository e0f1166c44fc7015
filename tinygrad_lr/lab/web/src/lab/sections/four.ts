// Section 4: batches of the table's rows. The noise is that of the rows that a step sees, and of nothing else.
import { Chart } from "../chart";
import { choice, numberField, slider } from "../controls";
import type { Lab } from "../lab";
import type { Point } from "../engine";
import {
  experiment,
  lossAxis,
  lossSeries,
  outcome,
  parameterNames,
  racerNames,
  reading,
  scheduleNote,
} from "../experiment";
import { caption, frame, Legend, sideBySide, updateAll, type Section } from "../layout";
import { SurfaceMap } from "../map";
import { styleOf } from "../palette";
import { batchOf, onTable, tableSurface } from "../problem";
import { TABLE } from "../state";
import { says, t } from "../text";

const ARROWS = 40; // batches of which the gradient is drawn
const LENGTH = 0.35; // of the arrow of all rows, as a share of the picture
const FIRST_BATCH = 32;

export function sectionFour(lab: Lab): Section {
  const { engine, data, store } = lab;
  const state = () => store.state;
  const rows = data.table.columns[0].length;
  const map = new SurfaceMap(t("mapOf"), (start) => store.set({ surface: TABLE, start, args: {} }));
  const losses = new Chart(t("lossesOf"), 210);
  const legend = new Legend();
  const note = scheduleNote(lab);
  const kind = choice(
    t("batchOf"),
    [
      { value: "all", text: t("batchAll") },
      { value: "some", text: t("batchSome") },
      { value: "one", text: t("batchOne") },
    ],
    () => (state().batch === 0 ? "all" : state().batch === 1 ? "one" : "some"),
    (value) => store.set({ batch: value === "all" ? 0 : value === "one" ? 1 : Math.min(FIRST_BATCH, rows - 1) }),
  );
  const size = slider({
    label: t("batchSize"),
    min: 1,
    max: rows,
    log: true,
    step: 1,
    value: () => state().batch || rows,
    set: (value, live) =>
      store.set({ batch: Math.round(value) >= rows ? 0 : Math.round(value) }, live ? "live" : "once"),
  });
  const seed = numberField(
    t("seed"),
    () => state().seed,
    (value) => store.set({ seed: Math.round(value!) }),
    { whole: true, min: 0, max: data.seeds - 1 },
  );
  const element = frame(
    "batches",
    "fourTitle",
    "fourText",
    { rows },
    note.element,
    sideBySide(
      [map.element, legend.element, caption(t("arrowsCaption", { count: ARROWS }))],
      [kind.element, size.element, seed.element, losses.element, caption(t("fullLossCaption"))],
    ),
  );
  const update = () => {
    updateAll([note, kind, size, seed]);
    const { problem, paths } = experiment(lab, onTable(state()));
    const { step, steps, batch, looked } = state();
    const names = racerNames(lab);
    const path = paths[looked];
    const last = path && path.error === null ? Math.min(step, path.made) : 0;
    const at: Point = path && path.error === null ? [path.xs[last]!, path.ys[last]!] : problem.start;
    map.show({
      problem,
      names: parameterNames(lab, TABLE),
      paths: paths.map((each, i) => ({ path: each, style: styleOf(i) })),
      step,
      arrows: at.every(Number.isFinite) ? arrows(at, step, batch) : [],
    });
    legend.show(names.map((name, i) => ({ name, style: styleOf(i) })));
    const said = paths.map((each, i) => says(names[i]!, outcome(each, step))).join(t("and"));
    map.describe(said);
    const series = paths.map((each, i) => lossSeries(each, i, names[i]!));
    losses.show({
      x: { min: 0, max: steps, label: t("stepAxis") },
      y: lossAxis(series),
      series,
      cursor: step,
      reading: reading(names, paths),
    });
    losses.describe(t("lossesSay", { step, paths: said }));
  };

  /** The steps downhill that the next batches would make from a place, and in bold that of all rows. */
  const arrows = (at: Point, step: number, batch: number) => {
    const surface = tableSurface(engine, data);
    const down = (chosen?: number[]) => surface.gradient(...at, chosen).map((each) => -each) as Point;
    const whole = down();
    const scale = LENGTH / Math.max(Math.hypot(...whole), 0.3);
    const stretched = ([x, y]: Point): Point => [x * scale, y * scale];
    const some = batch ? Array.from({ length: ARROWS }, (_, i) => down(batchOf(engine, data, state(), step + i))) : [];
    return [...some.map((by) => ({ from: at, by: stretched(by) })), { from: at, by: stretched(whole), strong: true }];
  };
  return { id: "batches", element, update };
}
