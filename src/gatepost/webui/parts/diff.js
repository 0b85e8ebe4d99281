// What a change did to an object, property by property.

import { useApplication } from "./application.js";
import { html } from "./html.js";
import { LinkedName } from "./object_choice.js";
import { valueText } from "./value_text.js";

/** @import {Children} from "./html.js" */
/** @import {Obj, ObjectType, Property} from "../server/schema.js" */

/**
 * @typedef {{name: string, label: string, before: Children, after: Children, gone: string[], added: string[]}} Line
 *   `gone` and `added`: the members of a set; null: the object was not there, or is not any more
 */

/**
 * @param {ObjectType | undefined} type
 * @param {import("../server/schema.js").Schema} schema
 * @param {Obj | null} before
 * @param {Obj | null} after
 * @returns {Line[]} of the properties that differ; of an object that is new or gone those that are set
 */
function linesOf(type, schema, before, after) {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])].filter((name) => name !== "id");
  return names
    .filter((name) => JSON.stringify(before?.[name]) !== JSON.stringify(after?.[name]))
    .filter((name) => (before && after) || isSet((before ?? after)?.[name]))
    .map((name) => lineOf(name, type?.properties.get(name), schema, before, after));
}

/** @param {any} value */
function isSet(value) {
  return value !== null && value !== "" && JSON.stringify(value) !== "{}";
}

/**
 * @param {string} name
 * @param {Property | undefined} property
 * @param {import("../server/schema.js").Schema} schema
 * @param {Obj | null} before
 * @param {Obj | null} after
 * @returns {Line}
 */
function lineOf(name, property, schema, before, after) {
  const label = property?.label ?? name;
  const [old, now] = [before?.[name], after?.[name]];
  if (before && after && property?.type.type === "set") {
    const gone = Object.keys(old ?? {}).filter((member) => !(member in (now ?? {})));
    const added = Object.keys(now ?? {}).filter((member) => !(member in (old ?? {})));
    return { name, label, before: null, after: null, gone, added };
  }
  /** @param {any} value @returns {Children} */
  function words(value) {
    if (property === undefined) return JSON.stringify(value ?? null);
    return property.type.type === "objectId" ? html`<${LinkedName} property=${property} id=${value} />` : valueText(property, schema, value);
  }
  return { name, label, before: before && words(old), after: after && words(now), gone: [], added: [] };
}

/**
 * What was changed of an object, by label.
 * @param {ObjectType | undefined} type
 * @param {import("../server/schema.js").Schema} schema
 * @param {Obj} change an x:Change
 * @returns {string[]}
 */
export function changedLabels(type, schema, { before, after, redacted }) {
  const secrets = Object.keys(redacted ?? {}).map((name) => type?.properties.get(name)?.label ?? name);
  return [...linesOf(type, schema, before, after).map((line) => line.label), ...secrets];
}

/** @param {{typeName: string, before: Obj | null, after: Obj | null, redacted?: Obj | null}} properties */
export function Diff({ typeName, before, after, redacted = null }) {
  const { schema } = useApplication();
  const type = schema.types.get(typeName);
  const lines = linesOf(type, schema, before, after);
  const secrets = Object.keys(redacted ?? {});
  if (lines.length === 0 && secrets.length === 0) return html`<p class="quiet">Nothing that is kept here.</p>`;
  return html`
    <dl class="diff">
      ${lines.map(
        (line) => html`
          <div key=${line.name}>
            <dt>${line.label}</dt>
            <dd>
              ${line.gone.map((member) => html`<del key=${`-${member}`}>${member}</del>`)}
              ${line.added.map((member) => html`<ins key=${`+${member}`}>${member}</ins>`)}
              ${line.before !== null && html`<del>${line.before}</del>`} ${line.after !== null && html`<ins>${line.after}</ins>`}
            </dd>
          </div>
        `,
      )}
      ${secrets.map(
        (name) => html`
          <div key=${`secret ${name}`}>
            <dt>${type?.properties.get(name)?.label ?? name}</dt>
            <dd class="quiet">a secret: not kept in the history</dd>
          </div>
        `,
      )}
    </dl>
  `;
}
