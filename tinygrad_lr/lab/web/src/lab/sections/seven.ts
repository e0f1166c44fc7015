// Section 7: the final loss over the rate, for every chosen optimizer and some seeds: which one forgives.
import { Chart, type Series } from "../chart";
import { button, slider } from "../controls";
import type { Lab } from "../lab";
import { h, put } from "../dom";
import { racerNames, scheduleNote, surfaceName } from "../experiment";
import { caption, frame, Legend, sideBySide, updateAll, type Section } from "../layout";
import { shown } from "../numbers";
import { styleOf } from "../palette";
import { problemOf } from "../problem";
import { RATES, spread, withRate, type Order, type Part } from "../sweep";
import { startWorker } from "../worker";
import { says, t } from "../text";

const GOOD = 1.1; // a rate is good within so many times the best loss, where the best is not near 0
const GOOD_OF_FALLING = 10; // and where losses fall by orders of magnitude, as the command `race` has it

// What lives beyond a change of language: what was computed, the worker that computes, and the section that draws it.
let kept: { order: Order | null; found: Part[] } = { order: null, found: [] };
let worker: Worker | null = null;
let drawn = () => {};

export function sectionSeven(lab: Lab): Section {
  const { engine, data, store } = lab;
  const state = () => store.state;
  const chart = new Chart(t("careOf"), 300);
  const legend = new Legend();
  const note = scheduleNote(lab);
  const said = h("p", { class: "verdict", role: "status" });
  const progress = h("progress", { max: "1", value: "0", "aria-label": t("progress") });
  const table = h("tbody", {});
  let { order, found } = kept;

  const seeds = slider({
    label: t("seeds"),
    min: 1,
    max: data.moves.length,
    step: 1,
    value: () => state().seeds,
    set: (value, live) => store.set({ seeds: Math.round(value) }, live ? "live" : "once"),
  });
  const stop = () => {
    worker?.terminate();
    worker = null;
  };
  const begin = () => {
    stop();
    order = structuredClone({ state: state(), data });
    found = [];
    kept = { order, found };
    worker = startWorker();
    worker.addEventListener("message", (event: MessageEvent<{ parts: Part[]; ended: boolean }>) => {
      found.push(...event.data.parts);
      if (event.data.ended) stop();
      drawn();
    });
    worker.addEventListener("error", (event) => {
      stop();
      drawn();
      put(said, event.message);
    });
    worker.postMessage(order);
    draw();
  };
  const start = button(t(worker ? "stop" : "compute"), () => (worker ? (stop(), draw()) : begin()), { kind: "main" });
  const take = button(t("takeBest"), () => {
    if (!order) return;
    const racers = order.state.racers.map((racer, i) => {
      const best = bestOf(found, i);
      return best ? withRate(engine, racer, RATES[best.rate]!) : racer;
    });
    store.set({ racers });
  });
  const element = frame(
    "care",
    "sevenTitle",
    "sevenText",
    { count: RATES.length },
    note.element,
    sideBySide(
      [chart.element, legend.element, caption(t("careCaption"))],
      [
        seeds.element,
        h("div", { class: "row" }, start, take),
        progress,
        said,
        h(
          "div",
          { class: "scroll", tabindex: "0", role: "region", "aria-label": t("careOf") },
          h(
            "table",
            {},
            h(
              "thead",
              {},
              h(
                "tr",
                {},
                ...(["optimizer", "bestRate", "bestLoss", "goodRates"] as const).map((key) =>
                  h("th", { scope: "col" }, t(key)),
                ),
              ),
            ),
            table,
          ),
        ),
      ],
    ),
  );

  const draw = () => {
    const runs = order ? RATES.length * order.state.racers.length : 0;
    const share = runs ? found.length / runs : 0;
    progress.value = share;
    progress.hidden = !worker;
    put(start, t(worker ? "stop" : "compute"));
    start.disabled = !worker && !state().racers.length;
    const stale = order !== null && relevant(order.state) !== relevant(state());
    const about: Record<string, string | number> = order
      ? { surface: surfaceName(lab, order.state.surface), steps: order.state.steps, seeds: order.state.seeds }
      : {};
    put(
      said,
      worker
        ? t("computing", { percent: Math.floor(share * 100) })
        : !state().racers.length
          ? t("noOptimizer")
          : !order
            ? t("notComputed")
            : share < 1
              ? t("stopped", { count: RATES.length })
              : t(stale ? "staleCare" : "computedCare", about),
    );
    const names = order ? racerNames(lab, order.state.racers) : [];
    const whole = runs > 0 && share === 1; // the best of some of the rates would be none
    take.toggleAttribute("disabled", !whole || !names.some((_, i) => bestOf(found, i)));
    const lowest = order ? problemOf(lab, order.state).lowest : null;
    const series = names.map((name, i) => seriesOf(found, i, name));
    chart.show({
      x: { min: RATES[0]!, max: RATES.at(-1)!, log: true, label: t("rateAxisLog") },
      y: axisOf(series),
      series,
      reading: (x) => readingOf(found, names, x),
    });
    legend.show(names.map((name, i) => ({ name, style: styleOf(i) })));
    const rows = names.map((name, i) => rowOf(whole ? found : [], i, name, lowest));
    table.replaceChildren(
      ...rows.map((cells) =>
        h("tr", {}, h("th", { scope: "row" }, cells[0]!), ...cells.slice(1).map((cell) => h("td", {}, cell))),
      ),
    );
    chart.describe(rows.length ? rows.map((cells) => cells.join(", ")).join(t("and")) : t("notComputed"));
  };
  const relevant = ({
    racers,
    surface,
    args,
    start: from,
    steps,
    phases,
    around,
    batch,
    seed,
    seeds: count,
  }: Order["state"]) => JSON.stringify([racers, surface, args, from, steps, phases, around, batch, seed, count]);
  drawn = draw;
  const update = () => {
    updateAll([note, seeds]);
    draw();
  };
  return { id: "care", element, needsPaths: false, update };
}

function partsOf(found: Part[], racer: number): Part[] {
  return found.filter((each) => each.racer === racer);
}

/** The part with the least median; null where every run diverged or was refused. */
function bestOf(found: Part[], racer: number): Part | null {
  return partsOf(found, racer).reduce<Part | null>((best, each) => {
    const least = best ? spread(best.losses)[1] : Infinity;
    return spread(each.losses)[1] < least ? each : best;
  }, null);
}

function seriesOf(found: Part[], racer: number, name: string): Series {
  const parts = partsOf(found, racer);
  const of = (which: 0 | 1 | 2) => parts.map(({ losses }) => spread(losses)[which]);
  const xs = parts.map(({ rate }) => RATES[rate]!);
  return {
    name,
    xs,
    ys: of(1),
    length: xs.length,
    style: styleOf(racer),
    dots: true,
    band: { low: of(0), high: of(2) },
  };
}

function axisOf(series: Series[]) {
  const all = series.flatMap(({ ys }) => Array.from(ys)).filter((loss) => Number.isFinite(loss));
  if (all.some((loss) => loss < 0)) {
    const [min, max] = [Math.min(...all), Math.max(...all)];
    return { min: Math.max(min, -1e6), max: Math.min(Math.max(max, min + 1), 1e6), label: t("finalLossLinear") };
  }
  const low = Math.max(Math.min(...all.filter((loss) => loss > 0)), 1e-18);
  const high = [...all].sort((a, b) => a - b)[Math.floor(all.length * 0.95)] ?? 1;
  return Number.isFinite(low)
    ? { min: low / 1.2, max: Math.max(high, low) * 1.5, log: true, label: t("finalLossLog") }
    : { min: 0.1, max: 1, log: true, label: t("finalLossLog") };
}

function readingOf(found: Part[], names: string[], x: number): string | null {
  const nearest = RATES.reduce(
    (best, rate, i) => (Math.abs(Math.log(rate / x)) < Math.abs(Math.log(RATES[best]! / x)) ? i : best),
    0,
  );
  const lines = found
    .filter(({ rate }) => rate === nearest)
    .map(({ racer, losses, refused }) => says(names[racer]!, lossText(spread(losses)[1], refused)));
  return lines.length ? [t("rateIs", { rate: shown(RATES[nearest]!) }), ...lines].join("\n") : null;
}

function lossText(loss: number, refused: boolean): string {
  return Number.isFinite(loss) ? shown(loss) : t(refused ? "refused" : "diverged");
}

/** Name, best rate, its median loss, and the rates around it that are good, one beside the other. */
function rowOf(found: Part[], racer: number, name: string, lowest: number | null): string[] {
  const parts = partsOf(found, racer);
  const best = bestOf(found, racer);
  if (!best)
    return [
      name,
      "—",
      parts.length
        ? lossText(
            Infinity,
            parts.every(({ refused }) => refused),
          )
        : "—",
      "—",
    ];
  const least = spread(best.losses)[1];
  const bound = least <= 0 ? least * 0.9 : least * (lowest !== null && lowest > 1e-9 ? GOOD : GOOD_OF_FALLING);
  const isGood = (part: Part | undefined) => part !== undefined && spread(part.losses)[1] <= bound;
  let [low, high] = [parts.indexOf(best), parts.indexOf(best)];
  while (isGood(parts[low - 1])) low--;
  while (isGood(parts[high + 1])) high++;
  const [first, last] = [low, high].map((i) => shown(RATES[parts[i]!.rate]!, 2));
  const range = low < high ? `${first} – ${last}` : first!;
  return [name, shown(RATES[best.rate]!, 3), shown(least), range];
}
