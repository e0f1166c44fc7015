// Section 5: a schedule put together of phases, the factor at every step, and the same experiment at its rates.
import { aroundControls } from "../around";
import { Chart, type Band, type Series } from "../chart";
import { button, menu, numberField, numbersField, tick, type Control } from "../controls";
import type { Lab } from "../lab";
import { h, put, tell } from "../dom";
import type { Argument, Schedule, Value } from "../engine";
import { experiment, outcome, parameterNames, racerNames } from "../experiment";
import { caption, frame, Legend, sideBySide, updateAll, type Section } from "../layout";
import { SurfaceMap } from "../map";
import { shown } from "../numbers";
import { styleOf } from "../palette";
import { scheduleOf } from "../paths";
import { MOST_PHASES, valuesOf, withoutPhase, type Phase } from "../state";
import { documented, misfit, says, t, type Key } from "../text";

const FACTOR_STYLE = 0;

export function sectionFive(lab: Lab): Section {
  const { engine, store } = lab;
  const state = () => store.state;
  const chart = new Chart(t("scheduleOf"), 230, (x, ended) => {
    store.set({ step: Math.round(x) }, "live");
    if (ended) store.settle();
  });
  const map = new SurfaceMap(t("mapOf"));
  const legend = new Legend();
  const list = h("div", { class: "cards" });
  const said = h("p", { class: "verdict" });
  const written = h("code", {});
  let controls: Control[] = [];
  let shape = "";

  const add = menu(
    t("addPhase"),
    () => [{ value: "", text: t("choose") }, ...Object.keys(engine.schedules).map((value) => ({ value, text: value }))],
    () => "",
    (name) => {
      if (!name || state().phases.length >= MOST_PHASES) return;
      const used = scheduleOf(engine, { ...state(), around: undefined }).schedule?.totalSteps ?? 0;
      store.set({ phases: [...state().phases, phaseOf(lab, name, Math.max(state().steps - used, 1))] });
    },
  );
  const all = aroundControls(
    t("aroundAll"),
    () => state().around,
    (around) => store.set({ around }),
  );
  const presets = h("div", { class: "row" }, ...presetButtons(lab));
  const element = frame(
    "schedules",
    "fiveTitle",
    "fiveText",
    {},
    presets,
    sideBySide(
      [
        chart.element,
        caption(t("scheduleCaption")),
        said,
        h("p", { class: "written" }, written),
        map.element,
        legend.element,
        caption(t("feltCaption")),
      ],
      [h("h3", {}, t("phases")), list, add.element, all.element],
    ),
  );

  const rebuild = () => {
    const now = JSON.stringify(state().phases.map(({ name }) => name));
    if (now === shape) return;
    shape = now;
    controls = [];
    list.replaceChildren(...state().phases.map((_, i) => phaseCard(lab, i, controls)));
  };

  const arrange = () => {
    rebuild();
    updateAll([add, all, ...controls]);
    all.element.hidden = !state().phases.length;
  };

  const update = () => {
    arrange();
    const { step, steps, surface, looked } = state();
    const { problem, schedule, error, paths } = experiment(lab);
    const names = racerNames(lab);
    chart.show({ ...pictureOf(schedule, steps, step), bands: schedule ? bandsOf(lab) : [] });
    put(written, schedule?.written ?? "");
    const base = state().racers[looked] ? valuesOf(engine, state().racers[looked]!).lr : null;
    const made = Math.max(step, 1); // the step whose rate is told: before the first one, the first
    const factor = schedule ? schedule.value(made - 1) : 1;
    const rate =
      typeof base === "number"
        ? t("rateAt", {
            name: names[looked]!,
            rate: shown(base * factor),
            float: shown(engine.float32Rate(base * factor), 9),
          })
        : "";
    tell(
      said,
      error === null
        ? `${t("factorAt", { step: made, index: made - 1, factor: shown(factor) })}${rate}`
        : t("noSchedule", { error: misfit(error) }),
      error !== null,
    );
    chart.describe(said.textContent ?? "");
    map.show({
      problem,
      names: parameterNames(lab, surface),
      paths: paths.map((path, i) => ({ path, style: styleOf(i) })),
      step,
    });
    legend.show(names.map((name, i) => ({ name, style: styleOf(i) })));
    map.describe(paths.map((path, i) => says(names[i]!, outcome(path, step))).join(t("and")));
  };
  return { id: "schedules", element, update, arrange };
}

/** The factors over the steps that take them: step 1 takes schedule(0). */
function pictureOf(schedule: Schedule | null, steps: number, step: number) {
  const ys = Float64Array.from({ length: steps }, (_, i) => (schedule ? schedule.value(i) : 1));
  const xs = ys.map((_, i) => i + 1);
  const finite = [...ys].filter(Number.isFinite);
  const series: Series = { name: "", xs, ys, length: steps, style: styleOf(FACTOR_STYLE), dots: steps === 1 };
  const max = Math.max(1, ...finite);
  return {
    x: { min: 0, max: steps, label: t("stepAxis") },
    y: { min: Math.min(0, ...finite), max: max * 1.12, label: t("factorAxis") },
    series: [series],
    cursor: step,
    reading: (x: number) => {
      const index = Math.max(Math.round(x), 1) - 1;
      return t("factorAt", { step: index + 1, index, factor: shown(ys[index]!) });
    },
  };
}

/** The phases, as often and as late as all of them together are repeated and shifted. */
function bandsOf({ engine, store }: Lab): Band[] {
  const { steps, step, around } = store.state;
  const { repeat = 1, shift = 0 } = around ?? {};
  const { schedule: once } = scheduleOf(engine, { ...store.state, around: undefined });
  const length = once?.totalSteps || Infinity;
  const phases = once?.phases() ?? [];
  const made = Math.max(step, 1);
  const bands: Band[] = [];
  for (let time = Math.max(Math.floor(-shift / length), 0); time < repeat; time++) {
    const begin = time ? time * length + shift : shift; // one without an end has one time only
    if (begin >= steps) break;
    for (const { start, stop, written } of phases) {
      const [from, to] = [bands.length ? begin + start : 0, begin + (stop ?? Infinity)];
      bands.push({ from, to: Math.min(to, steps), label: written, inForce: made > from && made <= to });
    }
  }
  return bands.filter(({ from, to }) => from < to);
}

function presetButtons({ engine, store }: Lab): HTMLElement[] {
  const has = (...names: string[]) => names.every((name) => name in engine.schedules);
  const share = (part: number) => Math.max(1, Math.round(store.state.steps * part));
  const cosine = "warmup_stable_decay, cosine";
  const preset = (key: Key, phases: () => Phase[]) =>
    button(t(key), () => store.set({ phases: phases(), around: undefined }));
  const warmup = (): Phase => ({ name: "warmup", args: { steps: share(0.1) } });
  const found: HTMLElement[] = [preset("presetConstant", () => [])];
  if (has("warmup", "cosine")) {
    found.push(preset("presetCosine", () => [warmup(), { name: "cosine", args: { total_steps: share(0.9) } }]));
  }
  if (has(cosine)) {
    const args = () => ({ warmup_steps: share(0.1), stable_steps: share(0.5), decay_steps: share(0.4) });
    found.push(preset("presetStable", () => [{ name: cosine, args: args() }]));
  }
  if (has("warmup", "cosine")) {
    const cycle = (): Phase => ({ name: "cosine", args: { total_steps: share(0.3) }, around: { repeat: 3 } });
    found.push(preset("presetRestarts", () => [warmup(), cycle()]));
  }
  return found;
}

/** A phase with arguments to begin with: required numbers of steps share the steps that are left. */
function phaseOf({ engine }: Lab, name: string, left: number): Phase {
  const required = engine.schedules[name]!.arguments.filter((each) => each.required);
  const lengths = required.filter(isLength).length;
  const value = (each: Argument): Value => {
    if (isLength(each)) return Math.max(1, Math.floor(left / lengths));
    const first: Record<Argument["kind"], Value> = {
      integer: 1,
      number: 0.1,
      integers: [Math.max(1, Math.floor(left / 2))],
      numbers: [1, 0.1],
      choice: each.choices?.[0] ?? "",
      flag: false,
    };
    return first[each.kind];
  };
  return { name, args: Object.fromEntries(required.map((each) => [each.name, value(each)])) };
}

const LENGTHS = [
  "total_steps",
  "steps",
  "warmup_steps",
  "stable_steps",
  "decay_steps",
  "first_steps",
  "step_size",
  "timescale",
  "up",
  "down",
];

function isLength({ name, kind }: Argument): boolean {
  return kind === "integer" && LENGTHS.includes(name);
}

function phaseCard({ engine, store }: Lab, number: number, controls: Control[]): HTMLElement {
  const { name: of } = store.state.phases[number]!;
  let known = store.state.phases[number]!;
  const isHere = () => store.state.phases[number]?.name === of; // a card off the screen may be older than the state
  const phase = () => (known = isHere() ? store.state.phases[number]! : known);
  const info = engine.schedules[of]!;
  const change = (patch: Partial<Phase>) => {
    if (!isHere()) return;
    store.set({ phases: store.state.phases.map((each, i) => (i === number ? { ...each, ...patch } : each)) });
  };
  const made = info.arguments.map((each) =>
    argumentControl(
      each,
      () => phase().args[each.name] ?? each.default,
      (value) => change({ args: { ...phase().args, [each.name]: value } }),
    ),
  );
  const around = aroundControls(
    t("around"),
    () => phase().around,
    (around) => change({ around }),
  );
  controls.push(...made, around);
  const remove = button("×", () => store.set(withoutPhase(store.state, number)), {
    kind: "quiet",
    label: t("removePhase", { name: of }),
  });
  return h(
    "div",
    { class: "card", role: "group", "aria-label": of },
    h("div", { class: "head" }, h("span", { class: "name" }, `${number + 1}. ${of}`), remove),
    documented(info.about),
    h("div", { class: "args" }, ...made.map((control) => control.element)),
    around.element,
  );
}

function argumentControl(
  { name, kind, choices, required }: Argument,
  now: () => Value,
  set: (value: Value) => void,
): Control {
  if (typeof now() === "boolean") return tick(name, () => now() === true, set);
  if (kind === "choice") {
    return menu(
      name,
      () => (choices ?? []).map((value) => ({ value, text: value })),
      () => String(now()),
      set,
    );
  }
  if (kind === "integers" || kind === "numbers") {
    return numbersField(name, () => (Array.isArray(now()) ? (now() as number[]) : []), set);
  }
  return numberField(name, () => (typeof now() === "number" ? (now() as number) : null), set, {
    whole: kind === "integer",
    empty: !required,
  });
}
