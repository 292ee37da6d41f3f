// Numbers, counts, bytes and durations as text.

/**
 * Format a number with three significant digits and a true minus sign; a dash means no number.
 * @param {number | null | undefined} value
 */
export function number(value, digits = 3) {
  if (value == null || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const text = size !== 0 && isFarFromOne(size) ? value.toExponential(digits - 1) : plainNumber(value, digits);
  return text.replaceAll("-", "−");
}

/**
 * Format a number with its standard error, of which two digits are shown; without one it is the number alone.
 * @param {number | null | undefined} value
 * @param {number | null | undefined} error
 */
export function withError(value, error) {
  if (value == null || !Number.isFinite(value) || !error || !Number.isFinite(error)) return number(value);
  if (isFarFromOne(error)) return `${number(value)} ± ${number(error, 2)}`;
  const decimals = Math.max(0, 1 - Math.floor(Math.log10(error)));
  return `${value.toFixed(decimals).replace("-", "−")} ± ${error.toFixed(decimals)}`;
}

/**
 * Format a share of 1 in per cent, with its standard error where it is known.
 * @param {number | null | undefined} share
 * @param {number | null | undefined} error
 */
export function percentWithError(share, error) {
  if (share == null || !Number.isFinite(share) || !error) return percent(share);
  return `${withError(100 * share, 100 * error)} %`;
}

/** @param {number} size */
function isFarFromOne(size) {
  return size < 1e-4 || size >= 1e6;
}

/**
 * @param {number} value
 * @param {number} digits
 */
function plainNumber(value, digits) {
  const whole = Math.max(1, Math.floor(Math.log10(Math.abs(value) || 1)) + 1);
  if (Math.abs(value) >= 1) return value.toFixed(Math.max(0, digits - whole));
  return Number(value.toPrecision(digits)).toString();
}

/**
 * Format the numbers of one column with the same number of decimals; the largest decides how many.
 * @param {(number | null)[]} values
 */
export function column(values, digits = 3) {
  const finite = values.filter((value) => value != null && Number.isFinite(value));
  const largest = Math.max(...finite.map((value) => Math.abs(Number(value))), 0);
  if (largest !== 0 && isFarFromOne(largest)) return values.map((value) => number(value, digits));
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(largest || 1)));
  /** @param {number} value */
  const text = (value) => (Number(value.toFixed(decimals)) === 0 ? "0" : value.toFixed(decimals).replace("-", "−"));
  return values.map((value) => (value == null || !Number.isFinite(value) ? "–" : text(value)));
}

/**
 * Format a distance of features, which is from 0 to 2, with three decimals: figures of classes are compared.
 * @param {number | null | undefined} value
 */
export function distance(value) {
  return value == null || !Number.isFinite(value) ? "–" : value.toFixed(3);
}

/**
 * Format a share of 1 in per cent.
 * @param {number | null | undefined} share
 */
export function percent(share, digits = 3) {
  return share == null || !Number.isFinite(share) ? "–" : `${number(100 * share, digits)} %`;
}

/**
 * Format shares of one column in per cent, with the same number of decimals.
 * @param {(number | null)[]} shares
 */
export function percentColumn(shares, digits = 3) {
  const values = shares.map((share) => (share == null ? null : 100 * share));
  return column(values, digits).map((text) => (text === "–" ? text : `${text} %`));
}

/**
 * Format a whole number with thousands separators.
 * @param {number} value
 */
export function count(value) {
  return value.toLocaleString("en");
}

/**
 * Format a count with its noun: `plural(3, "image")` is "3 images".
 * @param {number} value
 * @param {string} noun
 */
export function plural(value, noun, nouns = `${noun}s`) {
  return `${count(value)} ${value === 1 ? noun : nouns}`;
}

/**
 * Format a number of bytes in decimal units.
 * @param {number | null} value
 */
export function bytes(value) {
  if (value == null) return "–";
  const units = ["bytes", "kB", "MB", "GB"];
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit += 1) value /= 1000;
  return `${unit ? value.toFixed(value < 10 ? 1 : 0) : value} ${units[unit]}`;
}

/**
 * Format seconds in the unit that suits them.
 * @param {number} seconds
 */
export function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 90) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 90) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.round(minutes / 1440)} days`;
}

/**
 * Join words as a list of alternatives.
 * @param {string[]} words
 */
export function alternatives(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
