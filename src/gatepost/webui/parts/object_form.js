// A form for any object type, made from the schema: its sections, and for each property label, help, unit, default, what a
// change does, and what is wrong with the value.

import { EFFECTS, exactText } from "../words.js";
import { useApplication } from "./application.js";
import { html, useEffect } from "./html.js";
import { Input } from "./inputs.js";
import { Time } from "./small.js";
import { valueText } from "./value_text.js";

/** @import {Children} from "./html.js" */
/** @import {Obj, ObjectType, Property, Schema} from "../server/schema.js" */

/**
 * @typedef {{
 *   type: ObjectType, schema: Schema, value: Obj, isNew: boolean, isReadOnly?: boolean, writable?: Set<string> | null,
 *   problems: Record<string, string | null>, changed: Set<string>,
 *   onChange: (name: string, value: any) => void, onProblem: (name: string, words: string | null) => void,
 *   noteOf?: (name: string) => Children, hidden?: Set<string>,
 * }} FormProperties `noteOf` gives what is to be said beside a property; `hidden`: what is edited elsewhere on the page;
 *   `writable`: nothing but these may be changed
 */

/** All sections. @param {FormProperties} properties */
export function ObjectForm(properties) {
  const { type, isNew, hidden = new Set() } = properties;
  const wanted = useApplication().route.query.get("field");
  useEffect(() => {
    const field = wanted ? document.getElementById(`field-${wanted}`) : null;
    field?.scrollIntoView({ block: "center" });
    field?.focus();
  }, [wanted]);
  return type.sections.map((section) => {
    const shown = section.fields
      .map((name) => /** @type {Property} */ (type.properties.get(name)))
      .filter((each) => !hidden.has(each.name) && !isUnknown(each, isNew));
    if (shown.length === 0) return null;
    return html`
      <fieldset key=${section.title} class="section">
        <legend>${section.title}</legend>
        ${shown.map((property) => html`<${Field} key=${property.name} ...${properties} property=${property} />`)}
      </fieldset>
    `;
  });
}

/** Goes to the first field that something is wrong with. @param {HTMLFormElement | null} form */
export function goToProblem(form) {
  const problem = [...(form?.querySelectorAll(".field > .error") ?? [])].find((each) => each.textContent !== "");
  goToField(problem?.closest(".field") ?? null);
}

/** Brings a field to where it is seen, and the focus to it. @param {Element | null} field */
export function goToField(field) {
  field?.scrollIntoView({ block: "center" });
  const control = field?.querySelector("input, select, textarea") ?? field?.querySelector("button");
  /** @type {HTMLElement | null | undefined} */ (control)?.focus({ preventScroll: true });
}

/** What the server sets is not there in a new object, and a secret never. @param {Property} property @param {boolean} isNew */
function isUnknown(property, isNew) {
  return property.update === "serverSet" && (isNew || property.type.format === "secret");
}

/** @param {FormProperties & {property: Property}} properties */
export function Field({ property, schema, value, isNew, isReadOnly, writable, problems, changed, onChange, onProblem, noteOf }) {
  if (property.update === "serverSet") return html`<${Reading} property=${property} schema=${schema} value=${value[property.name]} />`;
  const { name } = property;
  const id = `field-${name}`;
  const problem = problems[name] ?? null;
  const isForbidden = isReadOnly || (writable != null && !writable.has(name));
  const isFixed = isForbidden || (property.update === "immutable" && !isNew);
  const isGroup = property.type.type === "set" && property.type.class?.type === "enum";
  return html`
    <div class="field" data-property=${name} data-changed=${changed.has(name) ? "true" : undefined}>
      <div class="field-head">
        <label for=${isGroup ? undefined : id}>${property.label}</label>
        ${property.isRequired && isNew && html`<span class="tag">needed</span>`}
        ${property.update === "immutable" && !isNew && !isForbidden && html`<span class="tag">cannot be changed</span>`}
        ${!isNew && !isFixed && html`<${EffectTag} property=${property} />`}
      </div>
      <${Input}
        ...${{ id, property, schema, isNew }}
        value=${value[name]}
        isReadOnly=${isFixed}
        isInvalid=${Boolean(problem)}
        describedBy=${`${id}-help ${id}-problem`}
        onChange=${(/** @type {any} */ next) => onChange(name, next)}
        onProblem=${(/** @type {string | null} */ words) => onProblem(name, words)}
      />
      <p id=${`${id}-problem`} class="error" aria-live="polite">${problem}</p>
      <p id=${`${id}-help`} class="help">${property.help} ${defaultWords(property, schema)}</p>
      ${noteOf?.(name)}
    </div>
  `;
}

/** What nobody but the server sets. @param {{property: Property, schema: Schema, value: any}} properties */
function Reading({ property, schema, value }) {
  const id = `field-${property.name}`;
  const isTime = property.type.type === "utcDateTime" && value != null;
  return html`
    <div class="field" data-property=${property.name}>
      <label for=${id}>${property.label}</label>
      <output id=${id} class="reading" aria-describedby=${`${id}-help`}>
        ${isTime ? html`<${Time} at=${value} /> <span class="quiet">(${exactText(new Date(value))})</span>` : valueText(property, schema, value)}
      </output>
      <p id=${`${id}-help`} class="help">${property.help}</p>
    </div>
  `;
}

/** @param {{property: Property}} properties */
function EffectTag({ property }) {
  const effect = EFFECTS[property.effect];
  return effect && html`<span class="tag effect" data-effect=${property.effect} title=${effect.help}>${effect.word}</span>`;
}

/** @param {Property} property @param {Schema} schema */
function defaultWords(property, schema) {
  const value = property.default;
  if (value === undefined || value === null || value === "") return "";
  return html`<span class="default">Default: ${valueText(property, schema, value)}.</span>`;
}
