// The keyboard's place in the page. Where what had the focus goes away, as a button does with what it was for, the browser would
// begin anew at the top, and screen readers fall silent.

import { useEffect } from "./html.js";

/** The head of the page takes the focus, where nothing has it. */
export function goOnAtHead() {
  if (document.activeElement !== document.body) return;
  /** @type {HTMLElement | null} */ (document.querySelector("main h1"))?.focus({ preventScroll: true });
}

/** Does so whenever what had the focus goes away; but for dialogs, which give it back, and rows that are scrolled out of sight. */
export function useFocusKept() {
  useEffect(() => {
    /** @type {Element | null} */
    let last = null;
    /** @param {FocusEvent} event */
    function remember(event) {
      const target = /** @type {Element} */ (event.target);
      last = target.closest("tbody, dialog") ? null : target;
    }
    const observer = new MutationObserver(() => {
      if (last === null || last.isConnected) return;
      last = null;
      goOnAtHead();
    });
    addEventListener("focusin", remember);
    observer.observe(document.body, { childList: true, subtree: true });
    return () => {
      removeEventListener("focusin", remember);
      observer.disconnect();
    };
  }, []);
}
