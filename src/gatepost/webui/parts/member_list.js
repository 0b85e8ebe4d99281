// A list of texts: addresses, networks, names. Each is checked while it is typed; several can be pasted at once.

import { CHECKS } from "../checks.js";
import { html, useRef, useState } from "./html.js";
import { whenReleased } from "./pointer.js";

/** @import {InputProperties} from "./inputs.js" */

/** @type {Record<string, string>} */
const EXAMPLES = { socketAddress: "192.0.2.1:25 or [::]:25", ipNetwork: "192.0.2.0/24" };

/** @param {InputProperties} properties */
export function MemberList({ id, property, value, isReadOnly, describedBy, isInvalid, onChange, onProblem }) {
  const [text, setText] = useState("");
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const format = property.type.class?.format ?? "";
  const check = CHECKS[format] ?? (() => null);
  const members = Object.keys(value ?? {});

  /** @param {string} typed whether all of it became members */
  function add(typed) {
    const parts = typed.split(/[\s,;]+/).filter((part) => part !== "");
    const bad = parts.filter((part) => check(part) !== null);
    const good = parts.filter((part) => check(part) === null && !members.includes(part));
    if (good.length) onChange({ ...value, ...Object.fromEntries(good.map((part) => [part, true])) });
    setText(bad.join(" "));
    onProblem(bad.length ? check(bad[0]) : null);
  }

  /** @param {string} member */
  function remove(member) {
    onChange(Object.fromEntries(members.filter((each) => each !== member).map((each) => [each, true])));
    field.current?.focus();
  }

  /** @param {any} event */
  function type(event) {
    setText(event.target.value);
    const last = event.target.value.trim();
    onProblem(last === "" ? null : check(last.split(/[\s,;]+/).at(-1) ?? ""));
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    if (event.key !== "Enter" && event.key !== ",") return;
    if (text.trim() === "" && event.key === "Enter") return; // Enter in an empty field sends the form
    event.preventDefault();
    add(text);
  }

  return html`
    <div class="members">
      ${members.length > 0 &&
      html`<ul aria-label=${property.label}>
        ${members.map(
          (member) => html`
            <li key=${member}>
              <code>${member}</code>
              ${!isReadOnly && html`<button type="button" class="plain" aria-label=${`Remove ${member}`} onClick=${() => remove(member)}>✕</button>`}
            </li>
          `,
        )}
      </ul>`}
      ${!isReadOnly &&
      html`<span class="draft">
        <input
          ref=${field}
          id=${id}
          type="text"
          autocomplete="off"
          spellcheck=${false}
          aria-describedby=${describedBy}
          aria-invalid=${isInvalid ? "true" : undefined}
          placeholder=${EXAMPLES[format]}
          value=${text}
          onInput=${type}
          onKeyDown=${onKey}
          onBlur=${() => text.trim() !== "" && whenReleased(() => add(text))}
        />
        <button type="button" onClick=${() => add(text)}>Add</button>
      </span>`}
    </div>
  `;
}
