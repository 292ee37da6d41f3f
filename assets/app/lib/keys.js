// Keyboard shortcuts of the page.

/** Keys that only type where the focus is in a text field. */
const TEXT_FIELDS = "input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, [contenteditable]";

/**
 * Handle keys of the page, wherever the focus is.
 * @param {App} app
 */
export function listenToKeys(app) {
  /** @param {KeyboardEvent} event */
  const handle = (event) => app.attempt(async () => press(app, event));
  app.root.addEventListener("keydown", handle);
  document.addEventListener("keydown", (event) => event.target === document.body && handle(event));
}

/**
 * @param {App} app
 * @param {KeyboardEvent} event
 */
function press(app, event) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.altKey || target.closest?.("dialog")) return;
  if (event.key === "Escape" && app.root.classList.contains("drawer")) {
    app.root.classList.remove("drawer");
    return;
  }
  if (isForTheField(target, event)) return;
  const action = app.keys.get(nameOf(event));
  if (!action) return;
  event.preventDefault();
  action(event);
}

/**
 * Return the name of a key with its modifiers; with Control, Shift alone decides the case, and not Caps Lock.
 * @param {KeyboardEvent} event
 */
function nameOf({ key, ctrlKey, metaKey, shiftKey }) {
  if (!ctrlKey && !metaKey) return key;
  if (key.length > 1) return `Ctrl+${key}`;
  return `Ctrl+${shiftKey ? key.toUpperCase() : key.toLowerCase()}`;
}

/**
 * Return whether a key belongs to the focused field: text fields take all keys, sliders and lists some.
 * @param {HTMLElement} target
 * @param {KeyboardEvent} event
 */
function isForTheField(target, event) {
  if (target.matches?.(TEXT_FIELDS)) return true;
  const withControl = event.ctrlKey || event.metaKey;
  if (withControl) return false;
  if (target.matches?.("input[type=range], select, [role=tab]") && /^(Arrow|Home|End|Page)/.test(event.key))
    return true;
  return Boolean(target.matches?.("select")) && event.key.length === 1;
}
