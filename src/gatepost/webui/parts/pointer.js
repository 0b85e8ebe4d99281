// What may move the page waits until the button of the mouse is up: else the click that is under way would miss what it was meant
// for.

let isDown = false;
addEventListener("pointerdown", () => (isDown = true), true);
addEventListener("pointerup", () => (isDown = false), true);
addEventListener("pointercancel", () => (isDown = false), true);

/** Calls `act` now, or before the click that is under way counts. @param {() => void} act */
export function whenReleased(act) {
  if (!isDown) return act();
  const end = new AbortController();
  for (const kind of ["pointerup", "pointercancel"]) {
    addEventListener(kind, () => (end.abort(), act()), { capture: true, signal: end.signal });
  }
  return undefined;
}
