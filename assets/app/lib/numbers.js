// Numbers as people type them: with a decimal point or a decimal comma.

const MINUS = /[−–]/g;
/** Spaces inside a number: thin and fixed ones group its digits. */
const GROUPING = /[\u00a0\u2009\u202f'’](?=\d{3}(\D|$))/g;
/** What may be one number or a thousand times as much: 1,234 is no decimal fraction everywhere. */
const AMBIGUOUS = /^[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?$/;

/**
 * Read a number; a comma is a decimal comma. Null for a text that is no number, and for one like 1,234, which is
 * 1234 to some and 1.234 to others.
 * @param {string} text
 * @returns {number | null}
 */
export function numberOf(text) {
  const plain = text.trim().replaceAll(MINUS, "-").replaceAll(GROUPING, "");
  if (!plain || AMBIGUOUS.test(plain)) return null;
  const isDecimalComma = /^[^,.]*,[^,.]*$/.test(plain);
  const number = Number(isDecimalComma ? plain.replace(",", ".") : plain);
  return Number.isFinite(number) ? number : null;
}

/**
 * Read a whole number, or null.
 * @param {string} text
 */
export function wholeOf(text) {
  const number = numberOf(text);
  return Number.isInteger(number) ? number : null;
}

/**
 * Split a list of numbers at spaces and semicolons, and at commas: in a list of fractions only at those that cannot
 * be decimal commas.
 * @param {string} text
 * @param {boolean} areWhole
 */
export function listOf(text, areWhole) {
  const words = text.split(areWhole ? /[\s,;]+/ : /[\s;]+|,(?=\s|$)/).flatMap((word) => {
    return !areWhole && word.includes(".") ? word.split(",") : [word];
  });
  return words.map((word) => word.trim()).filter(Boolean);
}
