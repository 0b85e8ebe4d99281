// What has been done, said once and then gone; read out by screen readers.

import { html } from "./html.js";

/** @typedef {{key: number, words: string, tone: "good" | "bad"}} Notice */

/** @param {{notices: Notice[], onDismiss: (key: number) => void}} properties */
export function Notices({ notices, onDismiss }) {
  return html`
    <div class="notices" role="status" aria-live="polite">
      ${notices.map(
        (notice) => html`
          <p key=${notice.key} class="notice-line" data-tone=${notice.tone}>
            <span>${notice.words}</span>
            <button type="button" class="plain" aria-label="Dismiss" onClick=${() => onDismiss(notice.key)}>✕</button>
          </p>
        `,
      )}
    </div>
  `;
}
