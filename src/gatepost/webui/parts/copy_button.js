// A button that copies a text, also where the browser has no clipboard for pages over clear HTTP.

import { html, useState } from "./html.js";

/** @param {{text: string, label: string, isPrimary?: boolean, onCopied?: () => void}} properties */
export function CopyButton({ text, label, isPrimary = false, onCopied }) {
  const [isCopied, setCopied] = useState(false);

  /** @param {Event} event */
  async function copy(event) {
    const button = /** @type {HTMLElement} */ (event.currentTarget);
    if (!(await copyText(text, button))) return;
    setCopied(true);
    onCopied?.();
  }

  return html`
    <button type="button" class=${isPrimary ? "primary" : ""} onClick=${copy}>${isCopied ? "Copied" : label}</button>
    <span class="unseen" role="status">${isCopied && "Copied"}</span>
  `;
}

/** @param {string} text @param {HTMLElement} beside an element of the dialog or page that has the focus */
async function copyText(text, beside) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "unseen";
    beside.after(field);
    field.select();
    const isDone = document.execCommand("copy");
    field.remove();
    beside.focus();
    return isDone;
  }
}
