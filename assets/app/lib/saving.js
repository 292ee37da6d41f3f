// Files that the page makes and the browser saves.

import { h } from "./dom.js";

const RELEASE_MS = 60_000;

/**
 * Let the browser save a file.
 * @param {Blob} file
 * @param {string} name
 */
export function saveFile(file, name) {
  const url = URL.createObjectURL(file);
  const link = h("a", { href: url, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), RELEASE_MS); // the browser may still read it
}

/**
 * Return a text as part of a file name: without characters that file systems refuse.
 * @param {string} text
 */
export function fileWord(text) {
  const word = text.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-").replaceAll(/^[-.]+|[-.]+$/g, "");
  return word.slice(0, 80) || "image";
}
