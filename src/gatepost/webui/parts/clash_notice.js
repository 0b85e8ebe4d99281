// Somebody else changed the same properties meanwhile: shows both, and lets the person choose for each.

import { useApplication } from "./application.js";
import { html } from "./html.js";
import { valueText } from "./object_form.js";

/** @import {Editing} from "./editing.js" */
/** @import {ObjectType, Property} from "../server/schema.js" */

/** @param {{editing: Editing, type: ObjectType}} properties */
export function ClashNotice({ editing, type }) {
  const { schema } = useApplication();
  if (editing.clashes.length === 0) return null;
  return html`
    <section class="banner clash" role="alert">
      <h2>Somebody else has changed this meanwhile</h2>
      <ul>
        ${editing.clashes.map((clash) => {
          const property = /** @type {Property} */ (type.properties.get(clash.name));
          return html`
            <li key=${clash.name}>
              <strong>${property.label}</strong>
              <span>theirs: <code>${valueText(property, schema, clash.theirs)}</code></span>
              <span>yours: <code>${valueText(property, schema, clash.mine)}</code></span>
              <button type="button" onClick=${() => editing.settle(clash.name, false)}>Take theirs</button>
              <button type="button" onClick=${() => editing.settle(clash.name, true)}>Keep mine</button>
            </li>
          `;
        })}
      </ul>
    </section>
  `;
}
