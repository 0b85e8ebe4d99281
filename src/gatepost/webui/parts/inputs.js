// One control for each kind of value that the schema knows. Each takes the value as the API has it and gives it back so;
// what is typed and cannot be read is told by `onProblem` and changes nothing.

import { durationText, exactSizeText, numberText, parseDuration, parseSize } from "../words.js";
import { html, useEffect, useState } from "./html.js";
import { MemberList } from "./member_list.js";
import { ObjectChoice } from "./object_choice.js";
import { PasswordInput } from "./password_input.js";
import { PermissionChoice } from "./permission_choice.js";
import { TimeInput } from "./time_input.js";

/** @import {Property, Schema} from "../server/schema.js" */

/**
 * @typedef {{
 *   id: string, property: Property, value: any, schema: Schema, isNew?: boolean, isReadOnly: boolean, describedBy: string, isInvalid: boolean,
 *   onChange: (value: any) => void, onProblem: (words: string | null) => void,
 * }} InputProperties
 */

/** The control for a property. @param {InputProperties} properties */
export function Input(properties) {
  const { type } = properties.property;
  if (type.type === "boolean") return html`<${Switch} ...${properties} />`;
  if (type.type === "enum") return html`<${Choice} ...${properties} />`;
  if (type.type === "objectId") return html`<${ObjectChoice} ...${properties} />`;
  if (type.type === "set" && type.class?.enumName === "Permission") return html`<${PermissionChoice} ...${properties} />`;
  if (type.type === "set" && type.class?.type === "enum") return html`<${ChoiceSet} ...${properties} />`;
  if (type.type === "set") return html`<${MemberList} ...${properties} />`;
  if (type.type === "number") return html`<${NumberInput} ...${properties} />`;
  if (type.type === "utcDateTime") return html`<${TimeInput} ...${properties} />`;
  if (type.format === "secretText" || type.format === "text") return html`<${LongText} ...${properties} />`;
  if (type.format === "secret") return html`<${PasswordInput} ...${properties} />`;
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
 *   textOf: (value: any) => string, valueOf: (text: string) => {value?: any, problem?: string},
 *   mode?: string, suffix?: any, placeholder?: string,
 * }} properties
 */
function Draft(properties) {
  const { value, onChange, onProblem, textOf, valueOf, mode, suffix, placeholder } = properties;
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
        type="text"
        inputmode=${mode}
        autocomplete="off"
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
  return html`<${Draft}
    ...${properties}
    textOf=${(/** @type {any} */ value) => value ?? ""}
    valueOf=${(/** @type {string} */ text) => ({ value: text === "" && property.type.nullable ? null : text })}
  />`;
}

/** @param {InputProperties} properties */
function LongText(properties) {
  const { property, value, onChange } = properties;
  return html`<textarea
    rows=${property.type.format === "secretText" ? 6 : 3}
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
  if (format === "size") {
    return html`<${Draft}
      ...${properties}
      placeholder=${nullable ? "not set" : "as 512 KiB, 50 MiB"}
      suffix=${typeof value === "number" && `= ${numberText(value)} octets`}
      textOf=${(/** @type {any} */ each) => (each == null ? "" : exactSizeText(each))}
      valueOf=${(/** @type {string} */ text) => readSize(text, property)}
    />`;
  }
  return html`<${Draft}
    ...${properties}
    mode="numeric"
    placeholder=${nullable ? "not set" : undefined}
    suffix=${property.unit}
    textOf=${(/** @type {any} */ each) => (each == null ? "" : String(each))}
    valueOf=${(/** @type {string} */ text) => readNumber(text, { min, max, nullable })}
  />`;
}

/** @param {string} text @param {Property} property */
function readSize(text, property) {
  const { min, max, nullable } = property.type;
  if (text.trim() === "") return nullable ? { value: null } : { problem: "A size, as 512 KiB or 50 MiB." };
  const value = parseSize(text);
  if (value === null) return { problem: "A size, as 512 KiB, 50 MiB or 5 GiB; a number alone counts octets." };
  if (min !== undefined && value < min) return { problem: `At least ${exactSizeText(min)}.` };
  if (max !== undefined && value > max) return { problem: `At most ${exactSizeText(max)}.` };
  return { value };
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
