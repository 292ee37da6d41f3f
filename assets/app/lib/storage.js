// What the browser remembers between visits. Without storage it lasts as long as the page is open.

/** @type {Map<string, string>} */
const fallback = new Map();

/**
 * Read a remembered text, or null.
 * @param {string} key
 */
export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return fallback.get(key) ?? null;
  }
}

/**
 * Remember a text.
 * @param {string} key
 * @param {string} text
 */
export function remember(key, text) {
  fallback.set(key, text);
  try {
    localStorage.setItem(key, text);
  } catch {
    // Storage is switched off or full.
  }
}

/** Return whether the browser stores anything. */
export function hasStorage() {
  try {
    return Boolean(localStorage);
  } catch {
    return false;
  }
}
