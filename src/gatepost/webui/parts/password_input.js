// A password that is set: typed twice, or made here and shown. It says once, and quietly, when one is short.

import { CopyButton } from "./copy_button.js";
import { html, useEffect, useRef, useState } from "./html.js";

/** @import {InputProperties} from "./inputs.js" */

const SHORT = 10;
const LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"; // 32 that are not taken for one another: five bits each

/** Twenty letters and digits in groups of five: 100 bits. */
function madePassword() {
  const letters = [...crypto.getRandomValues(new Uint8Array(20))].map((octet) => LETTERS[octet % LETTERS.length]);
  return (letters.join("").match(/.{5}/g) ?? []).join("-");
}

/** @param {InputProperties & {isNew: boolean}} properties */
export function PasswordInput(properties) {
  const { id, value, isNew, isReadOnly, onChange, onProblem } = properties;
  const [isOpen, setOpen] = useState(false);
  const isSaved = useRef(false);
  useEffect(() => {
    if (value !== undefined) isSaved.current = true;
    else if (isSaved.current) setOpen(false); // saved, or undone
  }, [value]);

  function keep() {
    setOpen(false);
    onChange(undefined);
    onProblem(null);
  }

  if (isReadOnly) return html`<span id=${id} class="quiet">Not shown.</span>`;
  if (!isOpen && !isNew) {
    const words = "Set a new password …"; // also as a label: else its name would be that of the field
    return html`<div><button type="button" id=${id} aria-label=${words} onClick=${() => setOpen(true)}>${words}</button></div>`;
  }
  return html`
    <${TwoFields} ...${properties} />
    ${!isNew && html`<div><button type="button" class="plain" onClick=${keep}>Keep the old one</button></div>`}
  `;
}

/** @param {InputProperties & {isNew: boolean}} properties */
function TwoFields({ id, isNew, describedBy, isInvalid, onChange, onProblem }) {
  const [[first, second], setTyped] = useState(["", ""]);
  const [isShown, setShown] = useState(false);
  const [fields] = useState(() => ({ first: { current: null }, second: { current: null } }));
  useEffect(() => {
    if (!isNew) /** @type {any} */ (fields.first.current)?.focus();
  }, []);

  /** @param {string} one @param {string} other */
  function take(one, other) {
    setTyped([one, other]);
    onChange(one === other && one !== "" ? one : undefined);
    // an empty problem keeps the form from being sent without the password, and does not yet complain
    if (one === other) onProblem(null);
    else onProblem(other === "" || one.startsWith(other) ? "" : "The two are not the same.");
  }

  function complain() {
    if (first !== second) onProblem(second === "" ? "Type it a second time." : "The two are not the same.");
  }

  /** @param {KeyboardEvent} event Enter goes on to what is not filled in yet */
  function onKey(event) {
    if (event.key !== "Enter" || first === second) return;
    event.preventDefault();
    complain();
    /** @type {any} */ (fields.second.current)?.focus();
  }

  const attributes = {
    type: isShown ? "text" : "password",
    autocomplete: "new-password",
    autocapitalize: "none",
    spellcheck: false,
    "aria-invalid": isInvalid ? "true" : undefined,
    onKeyDown: onKey,
  };
  return html`
    <div class="password">
      <input
        ...${attributes}
        ref=${fields.first}
        id=${id}
        aria-describedby=${describedBy}
        value=${first}
        onInput=${(/** @type {any} */ event) => take(event.target.value, second)}
      />
      <label for=${`${id}-again`}>Once more</label>
      <input
        ...${attributes}
        ref=${fields.second}
        id=${`${id}-again`}
        value=${second}
        onInput=${(/** @type {any} */ event) => take(first, event.target.value)}
        onBlur=${complain}
      />
      <div class="form-actions">
        <label class="choice"><input type="checkbox" checked=${isShown} onChange=${() => setShown(!isShown)} /> Show</label>
        <button type="button" class="plain" onClick=${() => ((made) => (setShown(true), take(made, made)))(madePassword())}>Make one</button>
        ${isShown && first && html`<${CopyButton} text=${first} label="Copy the password" />`}
      </div>
      ${first &&
      first.length < SHORT &&
      html`<p class="help">Short ones are found by trying. Three or four words are easy to remember and hard to find.</p>`}
    </div>
  `;
}
