// Light or dark: the system's theme, or the one that was chosen.

import { recall, remember } from "./storage.js";

const KEY = "dsel-theme";

/** Apply the theme that was chosen in an earlier visit. */
export function applyTheme() {
  const stored = recall(KEY);
  if (stored) document.body.classList.toggle("dark", stored === "dark");
}

/** Switch between light and dark. */
export function toggleTheme() {
  remember(KEY, document.body.classList.toggle("dark") ? "dark" : "light");
}
