// Work that nobody waits for.

const SOON_MS = 300;

/**
 * Do something once the page has nothing else to do, or after a while at the latest.
 * @param {() => void} work
 * @param {number} timeout
 */
export function whenIdle(work, timeout) {
  // Safari has no idle callbacks.
  if ("requestIdleCallback" in window) requestIdleCallback(work, { timeout });
  else setTimeout(work, Math.min(SOON_MS, timeout));
}
