// Section 6: two groups with rates of their own, as the article's vision and text model: two blocks of one problem.
import { Chart } from "../chart";
import { button, copyButton, menu, slider } from "../controls";
import type { Lab } from "../lab";
import { h, put } from "../dom";
import {
  groupExperiment,
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
import { onTable, problemOf } from "../problem";
import { programOfGroups } from "../python";
import { TABLE } from "../state";
import { says, short, t } from "../text";

const [TWO, ONE] = [0, 1]; // the numbers of their styles

export function sectionSix(lab: Lab): Section {
  const { data, store } = lab;
  const state = () => store.state;
  const map = new SurfaceMap(t("mapOf"));
  const legend = new Legend();
  const note = scheduleNote(lab);
  const losses = new Chart(t("lossesOf"), 200);
  const said = h("p", { class: "verdict" });
  const racer = menu(
    t("optimizer"),
    () => racerNames(lab).map((text, i) => ({ value: String(i), text })),
    () => String(state().looked),
    (value) => store.set({ looked: Number(value), without: "" }),
  );
  const rateOf = (group: 0 | 1) =>
    slider({
      label: t(group ? "rateText" : "rateVision", { name: short(data.table.features[group]) }),
      min: 1e-4,
      max: 10,
      log: true,
      value: () => state().rates[group],
      set: (value, live) => {
        const [vision, text] = state().rates;
        store.set({ rates: group ? [vision, value] : [value, text] }, live ? "live" : "once");
      },
    });
  const common = slider({
    label: t("rateCommon"),
    min: 1e-4,
    max: 10,
    log: true,
    value: () => state().common,
    set: (value, live) => store.set({ common: value }, live ? "live" : "once"),
  });
  const controls = [note, racer, rateOf(0), rateOf(1), common];
  const swap = button(t("swap"), () => store.set({ rates: [state().rates[1], state().rates[0]] }));
  const element = frame(
    "groups",
    "sixTitle",
    "sixText",
    { first: short(data.table.features[0]), second: short(data.table.features[1]) },
    note.element,
    sideBySide(
      [map.element, legend.element, caption(t("groupsCaption"))],
      [...controls.slice(1).map((each) => each.element), swap, said, losses.element],
    ),
    copyButton(t("copyPython"), t("copied"), () => programOfGroups(lab)),
  );
  legend.show([
    { name: t("twoRates"), style: styleOf(TWO) },
    { name: t("oneRate"), style: styleOf(ONE), dashed: true },
  ]);
  const update = () => {
    updateAll(controls);
    const { looked, steps, step } = state();
    const found = groupExperiment(lab);
    if (!found) {
      const problem = problemOf(lab, { ...state(), ...onTable(state()) });
      map.show({ problem, names: parameterNames(lab, TABLE), paths: [], step });
      losses.show({ x: { min: 0, max: steps, label: t("stepAxis") }, y: lossAxis([]), series: [] });
      put(said, t(state().racers[looked] ? "noRate" : "noOptimizer"));
      return;
    }
    const { problem, two, one } = found;
    map.show({
      problem,
      names: parameterNames(lab, TABLE),
      paths: [
        { path: one, style: styleOf(ONE), dashed: true },
        { path: two, style: styleOf(TWO) },
      ],
      step,
    });
    const names = [t("twoRates"), t("oneRate")];
    put(said, [says(names[0]!, outcome(two, step)), says(names[1]!, outcome(one, step))].join(t("and")));
    map.describe(said.textContent ?? "");
    const series = [lossSeries(two, TWO, names[0]!), lossSeries(one, ONE, names[1]!, true)];
    losses.show({
      x: { min: 0, max: steps, label: t("stepAxis") },
      y: lossAxis(series),
      series,
      cursor: step,
      reading: reading(names, [two, one]),
    });
    losses.describe(t("lossesSay", { step, paths: said.textContent ?? "" }));
  };
  return { id: "groups", element, update };
}
