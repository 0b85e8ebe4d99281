// What a new listener can begin with, as links: the address holds the choice, and what was typed stays.

import { TEMPLATES } from "../listener_templates.js";
import { html, useEffect, useRef } from "../parts/html.js";

/** @param {{chosen: string | null}} properties */
export function TemplateChoice({ chosen }) {
  const template = TEMPLATES.find((each) => each.key === chosen);
  const summary = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const details = /** @type {HTMLDetailsElement | null | undefined} */ (summary.current?.parentElement);
    if (!details?.open) return;
    details.open = false; // what it has filled in stands below
    summary.current?.focus();
  }, [chosen]);
  return html`
    <details class="templates">
      <summary ref=${summary}>Begin with a usual one${template && `: ${template.label}`}</summary>
      <${TemplateLinks} chosen=${chosen} />
    </details>
    ${template?.next && html`<p class="remark">${template.next}</p>`}
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
