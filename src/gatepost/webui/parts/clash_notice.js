// Somebody else changed the same properties meanwhile: shows both, and lets the person choose for each.

import { useApplication } from "./application.js";
import { html } from "./html.js";
import { LinkedName } from "./object_choice.js";
import { goToField } from "./object_form.js";
import { valueText } from "./value_text.js";

/** @import {Clash, Editing} from "./editing.js" */
/** @import {ObjectType, Property} from "../server/schema.js" */

/** @param {{editing: Editing, type: ObjectType}} properties */
export function ClashNotice({ editing, type }) {
  if (editing.clashes.length === 0) return null;
  return html`
    <section class="banner clash" role="alert">
      <h2>Somebody else has changed this meanwhile</h2>
      <ul>
        ${editing.clashes.map((clash) => html`<${ClashLine} key=${clash.name} ...${{ editing, type, clash }} />`)}
      </ul>
    </section>
  `;
}

/** @param {{editing: Editing, type: ObjectType, clash: Clash}} properties */
function ClashLine({ editing, type, clash }) {
  const property = /** @type {Property} */ (type.properties.get(clash.name));
  /** @param {any} value */
  function settle(value) {
    editing.settle(clash.name, value);
    goToField(document.querySelector(`[data-property="${clash.name}"]`)); // this button goes away
  }
  return html`
    <li>
      <strong>${property.label}</strong>
      <span>theirs: <code><${Value} property=${property} value=${clash.theirs} /></code></span>
      <span>yours: <code><${Value} property=${property} value=${clash.mine} /></code></span>
      <button type="button" onClick=${() => settle(clash.theirs)}>Take theirs</button>
      <button type="button" onClick=${() => settle(clash.mine)}>Keep mine</button>
      ${property.type.type === "set" && html`<button type="button" onClick=${() => settle(merged(clash))}>Take both changes</button>`}
    </li>
  `;
}

/** @param {{property: Property, value: any}} properties */
function Value({ property, value }) {
  const { schema } = useApplication();
  return property.type.type === "objectId" ? html`<${LinkedName} property=${property} id=${value} />` : valueText(property, schema, value);
}

/** Of a set: what was there and nobody took out, with what each of the two added. @param {Clash} clash */
function merged({ before, mine, theirs }) {
  const members = Object.keys({ ...theirs, ...mine }).filter((member) => !(member in before) || (member in mine && member in theirs));
  return Object.fromEntries(members.map((member) => [member, true]));
}
