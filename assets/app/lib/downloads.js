// Files that the page makes itself.

import { h } from "./dom.js";

/**
 * Let the browser save a text as a file.
 * @param {string} text
 * @param {string} name
 * @param {string} type
 */
export function downloadText(text, name, type) {
  const href = URL.createObjectURL(new Blob([text], { type }));
  const link = h("a", { href, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(href));
}
