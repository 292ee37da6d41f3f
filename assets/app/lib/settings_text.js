// Settings in words: their names, their values, and where two of them differ.

import { shareWords, WORDS } from "../components/sidebar.js";
import { plural } from "./dom.js";
import { same } from "./store.js";

const BY_HAND = { pins: "Pinned", bans: "Banned", moves: "Moved by hand" };
const OTHERS = { features: "Features", feature_model: "Image model" };

/** What a setting of selecting is called. */
export function labelOf(app, name) {
  const widget = app.start.widgets.select.find((one) => one.name === name);
  return widget?.label ?? BY_HAND[name] ?? OTHERS[name] ?? name.replaceAll("_", " ");
}

/** The value of a setting as people read it. */
export function valueOf(app, name, select) {
  const value = select[name];
  if (name in BY_HAND) return value.length ? plural(value.length, "image") : "none";
  if (name === "timesteps") return timesteps(value, app.start.run.timesteps);
  if (name === "clusters" && value === 0) return `${select.ipc} (as IPC)`;
  const widget = app.start.widgets.select.find((one) => one.name === name);
  const number = value === 0 && widget?.shown ? widget.shown : value;
  if (widget?.step < 1) return shareWords(value);
  const words = WORDS[name]?.[number] ?? (String(number) || "none");
  return widget?.unit === "px" ? `${words} px` : words;
}

function timesteps(chosen, scored) {
  if (!chosen.length) return `all ${scored.length}`;
  const sorted = [...chosen].sort((a, b) => a - b);
  if (sorted.length === 1) return String(sorted[0]);
  const between = scored.filter((one) => one >= sorted[0] && one <= sorted.at(-1)).length;
  return `${between === sorted.length ? "" : `${sorted.length} of `}${sorted[0]} to ${sorted.at(-1)}`;
}

/** The names of the settings that two selections do not have alike, in the sidebar's order. */
export function differing(app, a, b) {
  const first = app.start.widgets.select.map((one) => one.name);
  const names = [...first, ...Object.keys(app.store.defaults.select).filter((name) => !first.includes(name))];
  return names.filter(
    (name) => !same(a[name], b[name]) || (name === "clusters" && a.clusters === 0 && a.ipc !== b.ipc),
  );
}
