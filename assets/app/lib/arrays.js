// Arrays of numbers as Python packs them.

/** @type {Record<string, any>} */
const TYPES = {
  f4: Float32Array,
  f8: Float64Array,
  i2: Int16Array,
  i4: Int32Array,
  u1: Uint8Array,
  u2: Uint16Array,
  i8: BigInt64Array,
};

/**
 * Unpack an array.
 * @param {Packed} packed
 * @returns {Unpacked}
 */
export function unpack({ type, shape, data }) {
  return { values: new TYPES[type](decode(data).buffer), shape };
}

/**
 * Decode base64.
 * @param {string} text
 */
export function decode(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
