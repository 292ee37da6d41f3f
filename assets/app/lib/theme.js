// Light or dark: the system's theme, or the one that was chosen.

import { recall, remember } from "./storage.js";

const KEY = "dsel-theme";

/** Apply the theme that was chosen in an earlier visit, or that of the address or the system, as Gradio will. */
export function applyTheme() {
  const named = new URLSearchParams(location.search).get("__theme");
  const isDark = named ? named === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const stored = recall(KEY);
  document.body.classList.toggle("dark", stored ? stored === "dark" : isDark);
}

/** Switch between light and dark. */
export function toggleTheme() {
  remember(KEY, document.body.classList.toggle("dark") ? "dark" : "light");
}
