// Dialogs: the browser's own modal element, so that keyboard and screen reader stay inside while it is open.

import { goOnAtHead } from "./focus.js";
import { html, useEffect, useId, useRef } from "./html.js";

/** @import {Children} from "./html.js" */

/**
 * @typedef {{title: string, words: Children, action: string, tone?: "bad" | "plain"}} Question
 */

/**
 * What has `data-begin` has the focus first; afterwards it is where it was before.
 * @param {{title: string, onClose: () => void, children?: Children, class?: string}} properties `onClose`: by Escape or the cross
 */
export function Dialog({ title, onClose, children, class: name = "" }) {
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const titleId = useId();
  useEffect(() => {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    element.current?.showModal();
    /** @type {HTMLElement | null | undefined} */ (element.current?.querySelector("[data-begin]"))?.focus();
    return () => {
      if (document.activeElement !== document.body) return; // it has gone on already
      if (before?.isConnected) before.focus();
      else setTimeout(goOnAtHead);
    };
  }, []);
  /** @param {Event} event */
  function cancel(event) {
    event.preventDefault();
    onClose();
  }
  return html`
    <dialog ref=${element} class=${`dialog ${name}`} aria-labelledby=${titleId} onCancel=${cancel}>
      <header class="dialog-head">
        <h2 id=${titleId}>${title}</h2>
        <button type="button" class="plain" aria-label="Close" onClick=${onClose}>✕</button>
      </header>
      ${children}
    </dialog>
  `;
}

/**
 * A question with a way out and a way on.
 * @param {{question: Question, onAnswer: (isYes: boolean) => void}} properties
 */
export function ConfirmDialog({ question, onAnswer }) {
  return html`
    <${Dialog} title=${question.title} onClose=${() => onAnswer(false)}>
      <div class="dialog-body">${question.words}</div>
      <footer class="dialog-foot">
        <button type="button" data-begin onClick=${() => onAnswer(false)}>Cancel</button>
        <button type="button" class=${question.tone === "bad" ? "danger" : "primary"} onClick=${() => onAnswer(true)}>
          ${question.action}
        </button>
      </footer>
    <//>
  `;
}
