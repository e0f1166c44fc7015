// Long computations: generators that rest on the way, so that the page can draw and listen in between.

export const RESTS = 100; // steps of a path between its rests
const SLICE = 30; // milliseconds of computing between two frames

/** What a computation gives, without a rest. */
export function finished<T>(work: Generator<void, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

let turn = 0;

/** Compute in slices, of which the first is made at once, and then do something, unless another work was begun. */
export function inSlices(work: Generator<void, void>, busy: () => void, then: () => void): void {
  const mine = ++turn;
  const goOn = () => {
    if (mine !== turn) return;
    const until = performance.now() + SLICE;
    while (performance.now() < until) if (work.next().done) return then();
    busy();
    setTimeout(goOn);
  };
  goOn();
}
