// NumPy's functions of flat arrays, as schedules use them, under NumPy's names. An array of numbers is a Float64Array, one
// of truth values a Uint8Array, one without axes a number.

const elementwise = (compute) => (value) =>
  isArray(value) ? Float64Array.from(value, (each) => compute(each)) : compute(Number(value));
const pairwise = (compute) => operation(compute, unknown, unknown);

const np = {
  finfo: () => ({ eps: 2 ** -23 }), // of float32, which all parameters have here
  sqrt: elementwise((value) => Math.sqrt(value)),
  exp: elementwise((value) => arithmetic.exponential(value)),
  square: elementwise((value) => value * value),
  power: pairwise((base, exponent) => py.power(base, exponent)),
  minimum: pairwise((one, other) => (other < one || other !== other ? other : one)),
  maximum: pairwise((one, other) => (other > one || other !== other ? other : one)),
  array(values) {
    return Array.isArray(values) ? Float64Array.from(values, Number) : isArray(values) ? values.slice() : Number(values);
  },
  asarray(values) {
    return isArray(values) ? values : np.array(values);
  },
  full(shape, value) {
    return shape.length ? new Float64Array(shape[0]).fill(value) : value;
  },
  ones(shape, kind) {
    return kind === "bool" ? new Uint8Array(shape[0]).fill(1) : np.full(shape, 1);
  },
  zeros(size) {
    return new Float64Array(Array.isArray(size) ? size[0] : size);
  },
  empty(shape) {
    return new Float64Array(shape[0]);
  },
  where(condition, one, other) {
    if (!isArray(condition)) return condition ? one : other;
    const at = (values, i) => (isArray(values) ? values[i] : values);
    return Float64Array.from(condition, (isTrue, i) => (isTrue ? at(one, i) : at(other, i)));
  },
  clip(values, low, high) {
    const raised = low === null ? values : np.maximum(values, low);
    return high === null ? raised : np.minimum(raised, high);
  },
  divmod(one, other) {
    return [py.floorQuotient(one, other), py.remainder(one, other)];
  },
  // Where values would stand in a sorted array, behind those that are equal.
  searchsorted(sorted, values, { side }) {
    if (side !== "right") unknown();
    const place = (value) => {
      let [low, high] = [0, sorted.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (value < sorted[middle]) high = middle;
        else low = middle + 1;
      }
      return low;
    };
    return isArray(values) ? Float64Array.from(values, place) : place(values);
  },
  argsort(values) {
    return Float64Array.from(Array.from(values.keys()).sort((one, other) => values[one] - values[other] || one - other));
  },
  diff(values) {
    return values.slice(1).map((each, i) => each - values[i]);
  },
  flatnonzero(values) {
    return Float64Array.from(Array.from(values.keys()).filter((i) => values[i] !== 0));
  },
  split(values, places) {
    const bounds = [0, ...places, values.length];
    return bounds.slice(1).map((stop, i) => values.slice(bounds[i], stop));
  },
  isfinite(values) {
    return isArray(values) ? Uint8Array.from(values, (each) => Number(Number.isFinite(each))) : Number.isFinite(values);
  },
  // What Python writes as values[places]: the elements at places, or those for which a truth value is true.
  taken(values, places) {
    if (places instanceof Uint8Array) return values.filter((_, i) => places[i]);
    return Float64Array.from(places, (place) => values[place < 0 ? values.length + place : place]);
  },
  putInto(values, places, given) {
    const chosen = places instanceof Uint8Array ? np.flatnonzero(places) : places;
    chosen.forEach((place, i) => (values[place] = isArray(given) ? given[i] : given));
  },
};
