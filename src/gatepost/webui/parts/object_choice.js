// A link to another object, chosen by its name.

import { useApplication, useCollection } from "./application.js";
import { html } from "./html.js";

/** @import {InputProperties} from "./inputs.js" */
/** @import {Property} from "../server/schema.js" */

/** @param {InputProperties} properties */
export function ObjectChoice({ id, property, value, isReadOnly, describedBy, isInvalid, onChange }) {
  const { schema, session } = useApplication();
  const type = schema.type(property.type.objectName ?? "");
  const { objects } = useCollection(type.name);
  if (!session.may(type.permission("Get"))) return html`<span id=${id} class="quiet">Not shown to this account.</span>`;
  const isKnown = value == null || objects?.some((object) => object.id === value);
  return html`
    <select
      id=${id}
      disabled=${isReadOnly || objects === null}
      aria-describedby=${describedBy}
      aria-invalid=${isInvalid ? "true" : undefined}
      value=${value ?? ""}
      onChange=${(/** @type {any} */ event) => onChange(event.target.value === "" ? null : event.target.value)}
    >
      <option value="">${property.type.nullable ? "Not set" : `Choose a ${type.list.singular} …`}</option>
      ${!isKnown && html`<option value=${value}>${objects === null ? "…" : "one that is gone"}</option>`}
      ${(objects ?? []).map((object) => html`<option key=${object.id} value=${object.id}>${type.labelOf(object)}</option>`)}
    </select>
  `;
}

/** The name of a linked object; its id where there is none any more. @param {{property: Property, id: string | null}} properties */
export function LinkedName({ property, id }) {
  const { schema } = useApplication();
  const type = schema.type(property.type.objectName ?? "");
  const found = useCollection(type.name).objects?.find((object) => object.id === id);
  return found ? type.labelOf(found) : (id ?? "not set");
}

/** The name of a linked object, as a link to its page. @param {{objectName: string, id: string | null, path: string}} properties */
export function ObjectName({ objectName, id, path }) {
  const { schema } = useApplication();
  const { objects, error } = useCollection(objectName);
  if (id === null || (error && objects === null)) return html`<span class="quiet">–</span>`;
  const found = objects?.find((object) => object.id === id);
  return html`<a href=${`#${path}/${encodeURIComponent(id)}`}>${found ? schema.type(objectName).labelOf(found) : id}</a>`;
}
