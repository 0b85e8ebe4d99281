// One control for each kind of value that the schema knows. Each takes the value as the API has it and gives it back so;
// what is typed and cannot be read is told by `onProblem` and changes nothing.

import { durationText, parseDuration, sizeText } from "../words.js";
import { html, useEffect, useState } from "./html.js";
import { MemberList } from "./member_list.js";
import { ObjectChoice } from "./object_choice.js";

/** @import {Property} from "../server/schema.js" */
/** @import {Schema} from "../server/schema.js" */

/**
 * @typedef {{
 *   id: string, property: Property, value: any, schema: Schema, isReadOnly: boolean, describedBy: string, isInvalid: boolean,
 *   onChange: (value: any) => void, onProblem: (words: string | null) => void,
 * }} InputProperties
 */

/** The control for a property. @param {InputProperties} properties */
export function Input(properties) {
  const { type } = properties.property;
  if (type.type === "boolean") return html`<${Switch} ...${properties} />`;
  if (type.type === "enum") return html`<${Choice} ...${properties} />`;
  if (type.type === "objectId") return html`<${ObjectChoice} ...${properties} />`;
  if (type.type === "set" && type.class?.type === "enum") return html`<${ChoiceSet} ...${properties} />`;
  if (type.type === "set") return html`<${MemberList} ...${properties} />`;
  if (type.type === "number") return html`<${NumberInput} ...${properties} />`;
  if (type.type === "utcDateTime") return html`<${TimeInput} ...${properties} />`;
  if (type.format === "secretText" || type.format === "text") return html`<${LongText} ...${properties} />`;
  return html`<${TextInput} ...${properties} />`;
}

/** What every control has in common. @param {InputProperties} properties */
function attributes({ id, describedBy, isInvalid, isReadOnly }) {
  return { id, "aria-describedby": describedBy, "aria-invalid": isInvalid ? "true" : undefined, disabled: isReadOnly };
}

/** @param {InputProperties} properties */
function Switch(properties) {
  const { value, onChange } = properties;
  return html`<input
    type="checkbox"
    role="switch"
    class="switch"
    ...${attributes(properties)}
    checked=${value === true}
    onChange=${(/** @type {any} */ event) => onChange(event.target.checked)}
  />`;
}

/** @param {InputProperties} properties */
function Choice(properties) {
  const { property, value, schema, onChange } = properties;
  const members = schema.enums[property.type.enumName ?? ""] ?? [];
  return html`
    <select
      ...${attributes(properties)}
      value=${value ?? ""}
      onChange=${(/** @type {any} */ event) => onChange(event.target.value === "" ? null : event.target.value)}
    >
      ${(property.type.nullable || value == null) && html`<option value="">${property.type.nullable ? "Not set" : "Choose …"}</option>`}
      ${members.map((member) => html`<option key=${member.name} value=${member.name}>${member.label}</option>`)}
    </select>
  `;
}

/** @param {InputProperties} properties */
function ChoiceSet(properties) {
  const { id, property, value, schema, isReadOnly, describedBy, onChange } = properties;
  const members = schema.enums[property.type.class?.enumName ?? ""] ?? [];
  /** @param {string} name @param {boolean} isOn */
  function toggle(name, isOn) {
    const next = { ...value, [name]: true };
    if (!isOn) delete next[name];
    onChange(next);
  }
  return html`
    <div role="group" id=${id} aria-describedby=${describedBy} aria-label=${property.label} class="choices">
      ${members.map(
        (member) => html`
          <label key=${member.name} class="choice">
            <input
              type="checkbox"
              disabled=${isReadOnly}
              checked=${value?.[member.name] === true}
              onChange=${(/** @type {any} */ event) => toggle(member.name, event.target.checked)}
            />
            ${member.label}
          </label>
        `,
      )}
    </div>
  `;
}

/**
 * A line of text that stands for a value. What was typed stays as it was typed.
 * @param {InputProperties & {
 *   textOf: (value: any) => string, valueOf: (text: string) => {value?: any, problem?: string}, kind?: string,
 *   mode?: string, suffix?: any, placeholder?: string,
 * }} properties
 */
function Draft(properties) {
  const { value, onChange, onProblem, textOf, valueOf, kind = "text", mode, suffix, placeholder } = properties;
  const [text, setText] = useState(() => textOf(value));
  useEffect(() => {
    const read = valueOf(text);
    if (read.problem === undefined && read.value === value) return;
    if (read.problem !== undefined && value === undefined) return;
    setText(textOf(value));
    onProblem(null);
  }, [value]);
  /** @param {any} event */
  function type(event) {
    setText(event.target.value);
    const read = valueOf(event.target.value);
    onProblem(read.problem ?? null);
    if (read.problem === undefined) onChange(read.value);
  }
  return html`
    <span class="draft">
      <input
        type=${kind}
        inputmode=${mode}
        autocomplete=${kind === "password" ? "new-password" : "off"}
        spellcheck=${false}
        placeholder=${placeholder}
        ...${attributes(properties)}
        value=${text}
        onInput=${type}
      />
      ${suffix && html`<span class="suffix">${suffix}</span>`}
    </span>
  `;
}

/** @param {InputProperties} properties */
function TextInput(properties) {
  const { property } = properties;
  const isSecret = property.type.format === "secret";
  return html`<${Draft}
    ...${properties}
    kind=${isSecret ? "password" : "text"}
    placeholder=${isSecret && !properties.isReadOnly ? "Not shown; type to set" : undefined}
    textOf=${(/** @type {any} */ value) => value ?? ""}
    valueOf=${(/** @type {string} */ text) => ({ value: text === "" && property.type.nullable ? null : text })}
  />`;
}

/** @param {InputProperties} properties */
function LongText(properties) {
  const { property, value, onChange } = properties;
  return html`<textarea
    rows="6"
    spellcheck=${false}
    placeholder=${property.type.format === "secretText" ? "Not shown; paste to set" : undefined}
    ...${attributes(properties)}
    value=${value ?? ""}
    onInput=${(/** @type {any} */ event) => onChange(event.target.value === "" && property.type.nullable ? null : event.target.value)}
  ></textarea>`;
}

/** @param {InputProperties} properties */
function NumberInput(properties) {
  const { property, value } = properties;
  const { format, min, max, nullable } = property.type;
  if (format === "duration") {
    return html`<${Draft}
      ...${properties}
      placeholder=${nullable ? "not set" : "as 30s, 1m 30s"}
      textOf=${(/** @type {any} */ each) => (each == null ? "" : durationText(each))}
      valueOf=${(/** @type {string} */ text) => readDuration(text, property)}
    />`;
  }
  return html`<${Draft}
    ...${properties}
    mode="numeric"
    placeholder=${nullable ? "not set" : undefined}
    suffix=${format === "size" && typeof value === "number" && value >= 1024 ? `= ${sizeText(value)}` : property.unit}
    textOf=${(/** @type {any} */ each) => (each == null ? "" : String(each))}
    valueOf=${(/** @type {string} */ text) => readNumber(text, { min, max, nullable })}
  />`;
}

/** @param {string} text @param {Property} property */
function readDuration(text, property) {
  const { min, max, nullable } = property.type;
  if (text.trim() === "") return nullable ? { value: null } : { problem: "A duration, as 30s or 1m 30s." };
  const value = parseDuration(text);
  if (value === null) return { problem: "A duration, as 30s, 1m 30s or 500ms." };
  if (min !== undefined && value < min) return { problem: `At least ${durationText(min)}.` };
  if (max !== undefined && value > max) return { problem: `At most ${durationText(max)}.` };
  return { value };
}

/** @param {string} text @param {{min?: number, max?: number, nullable?: boolean}} limits */
function readNumber(text, { min, max, nullable }) {
  const trimmed = text.trim();
  if (trimmed === "") return nullable ? { value: null } : { problem: "A number is needed." };
  if (!/^-?\d+$/.test(trimmed)) return { problem: "A whole number is needed." };
  const value = Number(trimmed);
  if (min !== undefined && value < min) return { problem: `At least ${min}.` };
  if (max !== undefined && value > max) return { problem: `At most ${max}.` };
  return { value };
}

/** Times are typed in UTC, as the server has them. @param {InputProperties} properties */
function TimeInput(properties) {
  const { value, property, onChange, isReadOnly } = properties;
  if (isReadOnly) return html`<span>${value ?? "–"}</span>`;
  /** @param {any} event */
  function pick(event) {
    const text = event.target.value;
    if (text === "" && !property.type.nullable) return;
    onChange(text === "" ? null : `${text.length === 16 ? `${text}:00` : text}Z`);
  }
  return html`
    <span class="draft">
      <input
        type="datetime-local"
        step="1"
        ...${attributes(properties)}
        value=${value ? String(value).replace(/(\.\d+)?Z$/, "") : ""}
        onChange=${pick}
      />
      <span class="suffix">UTC</span>
    </span>
  `;
}
