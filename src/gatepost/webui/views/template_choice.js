// What a new listener can begin with, as links: the address holds the choice, and what was typed stays.

import { TEMPLATES } from "../listener_templates.js";
import { html } from "../parts/html.js";

/** @param {{chosen: string | null}} properties */
export function TemplateChoice({ chosen }) {
  const next = TEMPLATES.find((template) => template.key === chosen)?.next;
  return html`
    <details class="templates" open=${chosen !== null}>
      <summary>Begin with a usual one</summary>
      <${TemplateLinks} chosen=${chosen} />
    </details>
    ${next && html`<p class="remark">${next}</p>`}
  `;
}

/** @param {{chosen?: string | null}} properties */
export function TemplateLinks({ chosen = null }) {
  return html`
    <ul class="template-links" aria-label="Templates">
      ${TEMPLATES.map(
        (template) => html`
          <li key=${template.key}>
            <a href=${`#/listeners/new?template=${template.key}`} aria-current=${template.key === chosen ? "true" : undefined}>
              <strong>${template.label}</strong>
              <span class="quiet">${template.words}</span>
            </a>
          </li>
        `,
      )}
    </ul>
  `;
}
