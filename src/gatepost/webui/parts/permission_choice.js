// What an API key may do: all that its account may, or only what is chosen, kind of object by kind of object.

import { html } from "./html.js";

/** @import {InputProperties} from "./inputs.js" */

/** @typedef {{name: string, kind: string, verb: string, label: string}} Permission */

/** @param {{name: string, label: string}[]} members @returns {Permission[]} */
function permissionsOf(members) {
  return members.map(({ name, label }) => {
    const [kind, verb] = label.split(": ", 2);
    return { name, kind, verb: verb ?? label, label };
  });
}

/** @param {InputProperties} properties */
export function PermissionChoice({ id, property, value, schema, isReadOnly, describedBy, onChange }) {
  const chosen = value ?? {};
  const permissions = permissionsOf(schema.enums[property.type.class?.enumName ?? ""] ?? []);
  const kinds = [...new Set(permissions.map((permission) => permission.kind))];
  const reading = permissions.filter((permission) => /(Get|Query)$/.test(permission.name)).map((permission) => [permission.name, true]);

  /** @param {string} name @param {boolean} isOn */
  function toggle(name, isOn) {
    const next = { ...chosen, [name]: true };
    if (!isOn) delete next[name];
    onChange(next);
  }

  const option = (/** @type {boolean} */ isAll, /** @type {string} */ words) => html`
    <label class="choice">
      <input type="radio" name=${id} disabled=${isReadOnly} checked=${isAll === (value == null)} onChange=${() => onChange(isAll ? null : {})} />
      ${words}
    </label>
  `;
  return html`
    <div role="group" id=${id} aria-label=${property.label} aria-describedby=${describedBy} class="permissions">
      <div class="choices">${option(true, "All that its account may")} ${option(false, "Only what is chosen here")}</div>
      ${value != null &&
      html`
        ${!isReadOnly &&
        html`<div class="quick">
          <button type="button" class="small" onClick=${() => onChange(Object.fromEntries(reading))}>See everything</button>
          <button type="button" class="small" onClick=${() => onChange({})}>Nothing</button>
        </div>`}
        ${kinds.map(
          (kind) => html`
            <div key=${kind} role="group" aria-label=${kind} class="permission">
              <span>${kind}</span>
              <div class="choices">
                ${permissions
                  .filter((permission) => permission.kind === kind)
                  .map(
                    (permission) => html`
                      <label key=${permission.name} class="choice">
                        <input
                          type="checkbox"
                          aria-label=${permission.label}
                          disabled=${isReadOnly}
                          checked=${chosen[permission.name] === true}
                          onChange=${(/** @type {any} */ event) => toggle(permission.name, event.target.checked)}
                        />
                        ${permission.verb}
                      </label>
                    `,
                  )}
              </div>
            </div>
          `,
        )}
      `}
    </div>
  `;
}
