// The parts of a page, one shown at a time. Which one stands in the address, so that each can be linked to.

import { useApplication } from "./application.js";
import { html } from "./html.js";

/** @typedef {{name: string, label: string}} Tab */

/** The tab that the address names, else the first. @param {Tab[]} tabs */
export function useTab(tabs) {
  const wanted = useApplication().route.query.get("tab");
  return tabs.find((tab) => tab.name === wanted)?.name ?? tabs[0].name;
}

/** @param {{label: string, tabs: Tab[], shown: string}} properties */
export function Tabs({ label, tabs, shown }) {
  const { route } = useApplication();
  return html`
    <nav class="tabs" aria-label=${label}>
      ${tabs.map((tab, position) => {
        const path = position === 0 ? route.path : `${route.path}?tab=${tab.name}`;
        return html`<a key=${tab.name} href=${`#${path}`} aria-current=${tab.name === shown ? "page" : undefined}>${tab.label}</a>`;
      })}
    </nav>
  `;
}
