// Settings that hold for the whole server.

import { useApplication, useCollection } from "../parts/application.js";
import { html } from "../parts/html.js";
import { Failure } from "../parts/small.js";
import { ObjectEditor } from "./object.js";

/** @import {Page} from "../pages.js" */

/** @param {{page: Page}} properties */
export function GeneralView({ page }) {
  const { schema } = useApplication();
  const collection = useCollection("x:SystemSettings");
  const stored = collection.objects?.[0];
  if (collection.error && !stored) {
    return html`<${Failure} words=${collection.error.message} onRetry=${() => collection.refresh()} />`;
  }
  if (!stored) return html`<p class="notice" role="status">Loading …</p>`;
  return html`<${ObjectEditor} page=${page} type=${schema.type("x:SystemSettings")} stored=${stored} />`;
}
