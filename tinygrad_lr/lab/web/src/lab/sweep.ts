// How careful one must be with the rate: the final loss of every optimizer over a grid of rates and seeds.
// The worker computes it; the page draws what has arrived.
import type { PageData } from "./data";
import type { Engine } from "./engine";
import { pathOf, scheduleOf } from "./paths";
import { problemOf } from "./problem";
import { valuesOf, type Racer, type State } from "./state";

export const LOWEST = -4; // powers of ten
export const HIGHEST = 1;
export const PER_DECADE = 4;

/** The rates of the grid, a constant factor apart. */
export const RATES: number[] = Array.from({ length: (HIGHEST - LOWEST) * PER_DECADE + 1 }, (_, i) =>
  Number((10 ** (LOWEST + i / PER_DECADE)).toPrecision(4)),
);

export interface Order {
  state: State;
  data: PageData;
}

export interface Part {
  racer: number;
  rate: number; // its number
  losses: number[]; // of each seed, Infinity where the run diverged
  refused: boolean; // Python's rule takes no such values
}

/** All parts of an order, one after the other. */
export function* parts(engine: Engine, { state, data }: Order): Generator<Part> {
  const { moves, seeds } = data;
  const { schedule } = scheduleOf(engine, state);
  for (let rate = 0; rate < RATES.length; rate++) {
    for (const [number, racer] of state.racers.entries()) {
      let refused = false;
      const losses = Array.from({ length: state.seeds }, (_, seed) => {
        const given: State = { ...state, seed: (state.seed + seed) % seeds };
        const { start } = problemOf({ engine, data }, given);
        const [dx, dy] = moves[seed]!;
        const problem = problemOf({ engine, data }, { ...given, start: [start[0] + dx, start[1] + dy] });
        const path = pathOf({ engine, problem, racer: withRate(engine, racer, RATES[rate]!), schedule }, state.steps);
        const last = path.losses[path.made]!;
        refused ||= path.error !== null;
        return path.error === null && path.diverged === null && Number.isFinite(last) ? last : Infinity;
      });
      yield { racer: number, rate, losses, refused };
    }
  }
}

/** The racer at another rate; one whose rate is no number stays as it is. */
export function withRate(engine: Engine, racer: Racer, lr: number): Racer {
  return typeof valuesOf(engine, racer).lr === "number" ? { ...racer, values: { ...racer.values, lr } } : racer;
}

/** Lowest, median and highest of some numbers. */
export function spread(losses: number[]): [number, number, number] {
  const sorted = [...losses].sort((a, b) => a - b);
  return [sorted[0]!, sorted[Math.floor((sorted.length - 1) / 2)]!, sorted.at(-1)!];
}
