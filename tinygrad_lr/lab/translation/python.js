// What Python does otherwise than JavaScript, under Python's names. A number here is float64, a whole number beyond 2^53 a
// BigInt, a list or a tuple an Array, a dict an Object, None null. No formula stands here.

class ValueError extends Error {}
class ZeroDivisionError extends Error {}
class OverflowError extends Error {}
class NotImplementedError extends Error {}
class RuntimeError extends Error {}
class KeyError extends Error {}

// An exact quotient of whole numbers.
class Fraction {
  constructor(numerator, denominator = 1n) {
    const divisor = Fraction.divisor(numerator, denominator);
    this.numerator = numerator / divisor;
    this.denominator = denominator / divisor;
  }
  static divisor(one, other) {
    let [a, b] = [one < 0n ? -one : one, other];
    while (b) [a, b] = [b, a % b];
    return a || 1n;
  }
  static of(value) {
    if (value instanceof Fraction) return value;
    if (typeof value === "bigint") return new Fraction(value);
    let denominator = 1n;
    while (!Number.isInteger(value)) {
      value *= 2; // exact
      denominator *= 2n;
    }
    return new Fraction(BigInt(value), denominator);
  }
  plus(other) {
    return new Fraction(
      this.numerator * other.denominator + other.numerator * this.denominator,
      this.denominator * other.denominator,
    );
  }
  times(other) {
    return new Fraction(this.numerator * other.numerator, this.denominator * other.denominator);
  }
  minus(other) {
    return this.plus(new Fraction(-other.numerator, other.denominator));
  }
  less(other) {
    return this.numerator * other.denominator < other.numerator * this.denominator;
  }
  toNumber() {
    return py.nearest(this.numerator, this.denominator);
  }
}

const isArray = (value) => ArrayBuffer.isView(value);

// An operation of two values where either may be an array, a BigInt or a Fraction.
function operation(ofNumbers, ofBigInts, ofFractions, make = Float64Array) {
  const apply = (one, other) => {
    if (typeof one === "number" && typeof other === "number") return ofNumbers(one, other);
    if (isArray(one) || isArray(other)) {
      const size = isArray(one) ? one.length : other.length;
      const found = new make(size);
      for (let i = 0; i < size; i++) {
        found[i] = apply(isArray(one) ? one[i] : one, isArray(other) ? other[i] : other);
      }
      return found;
    }
    if (one instanceof Fraction || other instanceof Fraction) return ofFractions(Fraction.of(one), Fraction.of(other));
    if (typeof one === "bigint" || typeof other === "bigint") return ofBigInts(BigInt(one), BigInt(other));
    return ofNumbers(Number(one), Number(other));
  };
  return apply;
}

const unknown = () => {
  throw new TypeError("this operation has no translation for these values");
};
const comparison = (ofNumbers, ofFractions) => operation(ofNumbers, ofNumbers, ofFractions, Uint8Array);
const floored = (one, other) => one / other - ((one < 0n) !== (other < 0n) && one % other !== 0n ? 1n : 0n);
// A product of whole numbers that only Python has is refused, not rounded.
function exactProduct(one, other) {
  const found = one * other;
  if (!Number.isSafeInteger(found) && Number.isSafeInteger(one) && Number.isSafeInteger(other)) {
    throw new ValueError(`${one} times ${other} is beyond 2**53, and has no place here`);
  }
  return found;
}

const inArrays = {
  add: operation((a, b) => a + b, (a, b) => a + b, (a, b) => a.plus(b)),
  subtract: operation((a, b) => a - b, (a, b) => a - b, (a, b) => a.minus(b)),
  multiply: operation(exactProduct, (a, b) => a * b, (a, b) => a.times(b)),
  divide: operation((a, b) => a / b, (a, b) => py.nearest(a, b), unknown),
  floorDivide: operation((a, b) => (a - py.remainder(a, b)) / b, floored, unknown),
  remainder: operation((a, b) => py.remainder(a, b), unknown, unknown),
  bitAnd: operation(unknown, (a, b) => a & b, unknown),
  bitXor: operation(unknown, (a, b) => a ^ b, unknown),
  less: comparison((a, b) => a < b, (a, b) => a.less(b)),
  atMost: comparison((a, b) => a <= b, (a, b) => !b.less(a)),
  equal: comparison((a, b) => a === b, (a, b) => !a.less(b) && !b.less(a)),
};

const remembered = new WeakMap();
const powers = new Map();
const POWERS_KEPT = 20000;

const py = {
  Fraction: (value) => Fraction.of(value),

  // Truth and comparison.
  isTrue(value) {
    if (value === null || value === undefined) return false;
    if (typeof value === "number") return value !== 0;
    if (isArray(value)) return value.length === 1 ? Boolean(value[0]) : unknown();
    if (Array.isArray(value)) return value.length > 0;
    if (Object.getPrototypeOf(value) === Object.prototype) return Object.keys(value).length > 0;
    return Boolean(value);
  },
  and(one, other) {
    return py.isTrue(one) ? other() : one;
  },
  or(one, other) {
    return py.isTrue(one) ? one : other();
  },
  less: inArrays.less,
  atMost: inArrays.atMost,
  more(one, other) {
    return inArrays.less(other, one);
  },
  atLeast(one, other) {
    return inArrays.atMost(other, one);
  },
  equal(one, other) {
    if (Array.isArray(one) && Array.isArray(other)) {
      return one.length === other.length && one.every((each, i) => py.equal(each, other[i]));
    }
    if (isArray(one) || isArray(other)) return inArrays.equal(one, other);
    return one === other;
  },
  contains(container, value) {
    if (typeof container === "string") return container.includes(value);
    if (container instanceof Map || container instanceof Set) return container.has(value);
    if (Array.isArray(container)) return container.some((each) => py.equal(each, value));
    return Object.hasOwn(container, value);
  },

  // Arithmetic.
  add(one, other) {
    if (typeof one === "string") return one + other;
    return Array.isArray(one) ? [...one, ...py.list(other)] : inArrays.add(one, other);
  },
  addInPlace(one, other) {
    if (!Array.isArray(one)) return py.add(one, other);
    one.push(...py.list(other));
    return one;
  },
  subtract: inArrays.subtract,
  multiply(one, other) {
    return Array.isArray(one) ? Array.from({ length: other }, () => one).flat(1) : inArrays.multiply(one, other);
  },
  quotient(one, other) {
    if (!isArray(one) && !isArray(other) && Number(other) === 0) throw new ZeroDivisionError("division by zero");
    return inArrays.divide(one, other);
  },
  floorQuotient(one, other) {
    return inArrays.floorDivide(one, other);
  },
  remainder(one, other) {
    if (typeof one !== "number" || typeof other !== "number") return inArrays.remainder(one, other);
    if (other === 0) throw new ZeroDivisionError("modulo by zero");
    const rest = one % other;
    return rest !== 0 && rest < 0 !== other < 0 ? rest + other : rest;
  },
  power(base, exponent) {
    let ofBase = powers.get(base);
    if (ofBase === undefined) {
      if (powers.size > POWERS_KEPT) powers.clear();
      powers.set(base, (ofBase = new Map()));
    }
    let found = ofBase.get(exponent);
    if (found === undefined) {
      if (ofBase.size > POWERS_KEPT) ofBase.clear();
      ofBase.set(exponent, (found = arithmetic.power(base, exponent)));
    }
    return found;
  },
  negative(value) {
    return isArray(value) ? value.map((each) => -each) : -value;
  },
  shiftedLeft(value, count) {
    return BigInt(value) << BigInt(count);
  },
  shiftedRight(value, count) {
    return BigInt(value) >> BigInt(count);
  },
  bitAnd: inArrays.bitAnd,
  bitXor: inArrays.bitXor,
  // The float64 number nearest to a quotient of whole numbers, ties to even.
  nearest(numerator, denominator) {
    if (denominator === 0n) throw new ZeroDivisionError("division by zero");
    const size = numerator < 0n ? -numerator : numerator;
    if (size === 0n) return 0;
    let shift = 64 - (size.toString(2).length - denominator.toString(2).length);
    shift = Math.min(shift, 1074 + 2); // below the smallest normal number there are fewer digits
    const [top, bottom] = shift > 0 ? [size << BigInt(shift), denominator] : [size, denominator << BigInt(-shift)];
    const whole = top / bottom; // at least 64 bits: Number() rounds it once, and the last bit tells of a rest
    let found = Number(top % bottom === 0n ? whole : whole | 1n);
    for (let left = shift; left > 0; left -= 1000) found *= 2 ** -Math.min(left, 1000);
    for (let left = -shift; left > 0; left -= 1000) found *= 2 ** Math.min(left, 1000);
    return numerator < 0n ? -found : found;
  },

  // Built-in functions.
  abs(value) {
    return typeof value === "bigint" ? (value < 0n ? -value : value) : Math.abs(value);
  },
  bool(value) {
    return py.isTrue(value);
  },
  float(value = 0) {
    if (isArray(value)) return value[0];
    if (value instanceof Fraction) return value.toNumber();
    if (value === null || Number.isNaN(Number(value))) {
      if (Number.isNaN(value)) return value;
      throw typeof value === "string" ? new ValueError(`could not convert string to float: ${py.repr(value)}`) : new TypeError("float() argument must be a number");
    }
    return Number(value);
  },
  int(value) {
    if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    return Math.trunc(isArray(value) ? value[0] : Number(value));
  },
  index(value) {
    if (typeof value === "bigint" || Number.isInteger(value)) return value;
    throw new TypeError(`${py.repr(value)} cannot be interpreted as an integer`);
  },
  str(value) {
    return py.text(value);
  },
  len(value) {
    return value instanceof Set ? value.size : value.length ?? Object.keys(value).length;
  },
  max(...given) {
    return py.extreme(given, (one, best) => one > best);
  },
  min(...given) {
    return py.extreme(given, (one, best) => one < best);
  },
  extreme(given, isBetter) {
    const last = given.at(-1);
    const named = last !== null && typeof last === "object" && "default" in last ? given.pop() : {};
    const [first, ...others] = given.length === 1 ? py.list(given[0]) : given;
    if (first === undefined) return named.default;
    return others.reduce((best, each) => (isBetter(each, best) ? each : best), first);
  },
  sum(values) {
    return py.list(values).reduce((total, each) => total + Number(each), 0);
  },
  any(values) {
    return py.list(values).some(py.isTrue);
  },
  all(values) {
    return py.list(values).every(py.isTrue);
  },
  sqrt(value) {
    if (value < 0) throw new ValueError("math domain error");
    return Math.sqrt(value);
  },
  isfinite(value) {
    return Number.isFinite(Number(value));
  },
  isnan(value) {
    return Number.isNaN(value);
  },
  getattr(value, name, otherwise) {
    return value?.[name] ?? otherwise;
  },
  type(value) {
    if (value === null) return "NoneType";
    if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
    return { boolean: "bool", string: "str", bigint: "int" }[typeof value] ?? (Array.isArray(value) ? "list" : "dict");
  },
  classOf(value) {
    return value.constructor;
  },
  isinstance(value, kinds) {
    return py.list(Array.isArray(kinds) ? kinds : [kinds]).some((kind) => {
      if (typeof kind === "function") return value instanceof kind;
      if (["float", "floating", "Real", "Decimal"].includes(kind)) return typeof value === "number" || typeof value === "bigint";
      if (kind === "ndarray") return isArray(value);
      if (["int", "integer"].includes(kind)) return Number.isInteger(value) || ["bigint", "boolean"].includes(typeof value);
      if (["list", "tuple"].includes(kind)) return Array.isArray(value);
      if (kind === "Iterable") return typeof value === "string" || Array.isArray(value);
      if (kind === "Mapping" || kind === "dict") return py.type(value) === "dict";
      return py.type(value) === kind;
    });
  },

  // Collections.
  list(values = []) {
    if (Array.isArray(values)) return values;
    if (values === null || typeof values === "number" || typeof values === "boolean") {
      throw new TypeError(`${py.repr(py.type(values))} object is not iterable`);
    }
    return Symbol.iterator in Object(values) ? Array.from(values) : Object.keys(values);
  },
  tuple(values = []) {
    return py.list(values);
  },
  set(values = []) {
    return new Set(py.list(values));
  },
  deque(values = []) {
    return [...py.list(values)];
  },
  // What a for goes through: a list that grows meanwhile is gone through to its new end, as in Python.
  iterated(values) {
    return Array.isArray(values) ? values : py.list(values);
  },
  dict(pairs = [], named = {}) {
    return Array.isArray(pairs) ? Object.fromEntries(pairs) : { ...pairs, ...named };
  },
  fromkeys(keys, value = null) {
    return Object.fromEntries(py.list(keys).map((key) => [key, value]));
  },
  range(first, stop, step = 1) {
    const [low, high] = stop === undefined ? [0, first] : [first, stop];
    return Array.from({ length: Math.max(Math.ceil((high - low) / step), 0) }, (_, i) => low + i * step);
  },
  enumerate(values, first = 0) {
    return py.list(values).map((each, i) => [i + (first.start ?? first), each]);
  },
  zip(...given) {
    const named = py.type(given.at(-1)) === "dict" ? given.pop() : { strict: false };
    const lists = given.map(py.list);
    const sizes = lists.map((each) => each.length);
    const size = Math.min(...sizes);
    if (named.strict && Math.max(...sizes) > size) throw new ValueError("zip() arguments have different lengths");
    return Array.from({ length: size }, (_, i) => lists.map((each) => each[i]));
  },
  map(function_, ...given) {
    return py.zip(...given).map((each) => function_(...each));
  },
  reversed(values) {
    return [...py.list(values)].reverse();
  },
  sorted(values) {
    return [...py.list(values)].sort((one, other) => one - other);
  },
  accumulate(values) {
    let total = 0;
    return py.list(values).map((each) => (total += each));
  },
  item(owner, index) {
    if (typeof index === "number" && Array.isArray(owner) && index >= 0 && index < owner.length) return owner[index]; // in a loop over a table's rows
    if (isArray(index)) return np.taken(owner, index);
    if (Array.isArray(owner) || isArray(owner) || typeof owner === "string") {
      const found = owner[index < 0 ? owner.length + Number(index) : index];
      if (found === undefined) throw new ValueError("index out of range");
      return found;
    }
    if (!Object.hasOwn(owner, index)) throw new KeyError(py.repr(index));
    return owner[index];
  },
  slice(owner, first, stop, step) {
    if (step === null || step === 1) return owner.slice(first ?? 0, stop ?? undefined);
    if (step !== -1 || stop !== null) unknown();
    return owner.slice(0, first === null ? undefined : first + 1 || undefined).reverse();
  },
  put(owner, index, value) {
    if (isArray(index)) np.putInto(owner, index, value);
    else owner[index] = value;
  },
  putSlice(owner, first, stop, step, value) {
    owner.splice(first ?? 0, (stop ?? owner.length) - (first ?? 0), ...value);
  },
  call(called, given, named) {
    const names = called.parameters;
    const values = [...given];
    for (const [name, value] of Object.entries(named)) values[names.indexOf(name)] = value;
    return called(...values);
  },
  // The value of a property that is computed once for each object.
  remembered(owner, name, compute) {
    if (!remembered.has(owner)) remembered.set(owner, {});
    const kept = remembered.get(owner);
    return name in kept ? kept[name] : (kept[name] = compute());
  },
  nothing() {},
  // A number as it is; for others the error that Python's check turns into its own.
  plain(value) {
    if (typeof value !== "number") throw new TypeError("not a number");
    return value;
  },
  // From a table of what kernels take for some shapes, by the shapes as JSON.
  laidOut: (table) => (shapes) => {
    const found = table[JSON.stringify(shapes)];
    if (!found) throw new ValueError(`this page has no layout for parameters of shapes ${JSON.stringify(shapes)}`);
    return found;
  },
  fillRows({ data }, row) {
    for (let i = 0; i < data.length; i++) data[i] = row[i % row.length];
  },

  // Texts: as Python shows numbers, lists and texts.
  text(value) {
    return typeof value === "string" ? value : py.repr(value);
  },
  repr(value) {
    if (value === null || value === undefined) return "None";
    if (typeof value === "boolean") return value ? "True" : "False";
    if (typeof value === "string") return py.quoted(value);
    if (typeof value === "bigint") return value.toString();
    if (typeof value === "number") {
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : py.reprOfFloat(value);
    }
    if (isArray(value)) return py.repr(Array.from(value));
    if (Array.isArray(value)) return `(${value.map(py.repr).join(", ")}${value.length === 1 ? "," : ""})`;
    return typeof value.__repr__ === "function" ? value.__repr__() : JSON.stringify(value);
  },
  quoted(value) {
    const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
    const inner = value.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/\t/g, "\\t").replace(/\r/g, "\\r");
    return quote + (quote === "'" ? inner.replace(/'/g, "\\'") : inner) + quote;
  },
  reprOfFloat(value) {
    if (typeof value !== "number") return py.repr(value);
    if (Number.isNaN(value)) return "nan";
    if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
    if (Object.is(value, -0)) return "-0.0";
    const [digits, exponent] = value.toExponential().split("e");
    const power = Number(exponent);
    if (value !== 0 && (power < -4 || power >= 16)) return `${digits}e${py.exponentText(power)}`;
    const plain = py.withoutExponent(digits, power);
    return plain.includes(".") ? plain : `${plain}.0`;
  },
  textOfFloat(value) {
    return py.reprOfFloat(value);
  },
  exponentText(power) {
    return `${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  },
  withoutExponent(digits, power) {
    const sign = digits.startsWith("-") ? "-" : "";
    const all = digits.replace("-", "").replace(".", "");
    if (power < 0) return `${sign}0.${"0".repeat(-power - 1)}${all}`;
    const whole = all.slice(0, power + 1).padEnd(power + 1, "0");
    const rest = all.slice(power + 1);
    return sign + whole + (rest ? `.${rest}` : "");
  },
  // toExponential rounds a tie away from 0; Python, to the even digit.
  roundedToEven(value, precision) {
    const near = value.toExponential(precision - 1);
    const [exact, exponent] = value.toExponential(100).split("e");
    const start = precision + (precision > 1 ? 1 : 0) + (value < 0 ? 1 : 0);
    const rest = exact.slice(start).replace(".", "");
    const kept = exact.slice(0, start);
    return /^50*$/.test(rest) && /[02468]$/.test(kept) ? `${kept}e${exponent}` : near;
  },
  // Python's formats "g", ".6g" and ",".
  format(value, spec) {
    if (spec === ",") return value.toLocaleString("en-US");
    const precision = spec === "g" ? 6 : Number(/^\.(\d+)g$/.exec(spec)?.[1] ?? unknown());
    if (!Number.isFinite(value)) return py.reprOfFloat(value);
    if (Object.is(value, -0)) return "-0";
    const [digits, exponent] = py.roundedToEven(value, precision).split("e");
    const short = digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
    const power = Number(exponent);
    if (power < -4 || power >= precision) return `${short}e${py.exponentText(power)}`;
    return py.withoutExponent(short, power);
  },

  // Methods and attributes of Python's own values.
  method_items(owner) {
    return Object.entries(owner);
  },
  method_get(owner, key, otherwise = null) {
    return Object.hasOwn(owner, key) ? owner[key] : otherwise;
  },
  method_append(owner, value) {
    owner.push(value);
  },
  method_extend(owner, values) {
    owner.push(...py.list(values));
  },
  method_pop(owner) {
    return owner.pop();
  },
  method_popleft(owner) {
    return owner.shift();
  },
  method_join(owner, values) {
    return py.list(values).join(owner);
  },
  method_strip(owner, letters) {
    const kept = Array.from(owner, (each) => !letters.includes(each));
    return kept.includes(true) ? owner.slice(kept.indexOf(true), kept.lastIndexOf(true) + 1) : "";
  },
  method_update(owner, more) {
    Object.assign(owner, more);
  },
  method_is_integer(owner) {
    return Number.isInteger(owner);
  },
  method_as_integer_ratio(owner) {
    const found = Fraction.of(owner);
    return [found.numerator, found.denominator];
  },
  method_item(owner) {
    return isArray(owner) ? owner[0] : owner;
  },
  method_astype(owner) {
    return isArray(owner) ? Float64Array.from(owner) : Number(owner);
  },
  method_ravel(owner) {
    return owner;
  },
  method_reshape(owner) {
    return owner;
  },
  method_min(owner) {
    return py.min(Array.from(owner));
  },
  method_max(owner) {
    return py.max(Array.from(owner));
  },
  method_any(owner) {
    return isArray(owner) ? owner.some(Boolean) : Boolean(owner);
  },
  method_all(owner) {
    return isArray(owner) ? owner.every(Boolean) : Boolean(owner);
  },
  attribute_size(owner) {
    return isArray(owner) ? owner.length : 1;
  },
  attribute_shape(owner) {
    return isArray(owner) ? [owner.length] : owner.shape ?? [];
  },
  attribute_dtype(owner) {
    if (!isArray(owner)) return owner.dtype ?? { kind: "f" };
    return { kind: owner instanceof Uint8Array ? "b" : owner.every(Number.isInteger) ? "i" : "f", itemsize: 8 };
  },
  attribute___name__(owner) {
    return owner;
  },
};
