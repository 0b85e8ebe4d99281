// What was changed, by whom and when; what each change did; and taking one back.

import { useApplication } from "../parts/application.js";
import { changedLabels, Diff } from "../parts/diff.js";
import { html, useEffect, useState } from "../parts/html.js";
import { askToInsist } from "../parts/lock_out.js";
import { PreviewDialog } from "../parts/preview_dialog.js";
import { useRemoteRows } from "../parts/remote_rows.js";
import { withQuery } from "../parts/router.js";
import { Empty, Failure, PageHead, Time, useTitle } from "../parts/small.js";
import { pathOfObject } from "../pages.js";
import { createObject } from "../server/changes.js";
import { counted } from "../words.js";

/** @import {Outcome, SetOptions} from "../server/changes.js" */
/** @import {Obj, Schema} from "../server/schema.js" */

const TYPE = "x:Change";
const EVERY_MS = 10_000;
const AT_ONCE = 50;
const LABELS_SHOWN = 3;

/** @type {Record<string, string>} */
const KINDS = { created: "created", updated: "changed", destroyed: "deleted" };
/** @type {Record<string, (what: string) => string>} what becomes of the object when a change is taken back */
const OPPOSITES = {
  created: (what) => `The ${what} is deleted.`,
  updated: (what) => `The ${what} gets back what this change has replaced.`,
  destroyed: (what) => `The ${what} is made again, with the settings that it had.`,
};

export function HistoryView() {
  const { route, navigate, schema } = useApplication();
  useTitle("History");
  const text = route.query.get("filter") ?? "";
  const type = route.query.get("type") ?? "";
  const conditions = [...(text ? [{ text }] : []), ...(type ? [{ objectType: type }] : [])];
  /** @param {Record<string, string>} changes */
  const show = (changes) => navigate(withQuery(route, changes), { replace: true });
  const types = [...schema.types.values()].filter((each) => each.name !== TYPE);
  return html`
    <${PageHead} title="History" subtitle="Every change of the configuration: who, when, from where, before and after"><//>
    <div class="toolbar">
      <input
        type="search"
        aria-label="Filter changes"
        placeholder="Filter"
        value=${text}
        onInput=${(/** @type {any} */ event) => show({ filter: event.target.value })}
      />
      <select class="compact" aria-label="Kind of object" value=${type} onChange=${(/** @type {any} */ event) => show({ type: event.target.value })}>
        <option value="">All objects</option>
        ${types.map((each) => html`<option key=${each.name} value=${each.name}>${each.list.title || each.name.slice(2)}</option>`)}
      </select>
    </div>
    <${ChangeList} filter=${conditions.length ? { operator: "AND", conditions } : null} hasObject=${true} />
  `;
}

/**
 * Changes, the newest first, each of them opens to show what it did.
 * @param {{filter: Obj | null, hasObject: boolean, most?: number}} properties `hasObject`: say which object it was; `most`: no
 *   more than so many
 */
export function ChangeList({ filter, hasObject, most }) {
  const [length, setLength] = useState(most ?? AT_ONCE);
  const { live } = useApplication();
  const found = useRemoteRows(TYPE, { filter, sort: [{ property: "at", isAscending: false }] }, EVERY_MS, most);
  useEffect(() => live.follow(found.refresh), [found.refresh]);
  const shown = Array.from({ length: Math.min(length, found.total) }, (_, position) => found.rows.at(position)).filter(Boolean);
  return html`
    ${found.error && html`<${Failure} words=${found.error.message} onRetry=${found.refresh} />`}
    ${found.isLoaded &&
    found.total === 0 &&
    html`<${Empty} title=${filter && hasObject ? "No change has these words." : "Nothing has been changed here yet."} />`}
    <ol class="changes" aria-label="Changes">
      ${shown.map((each) => html`<${Change} key=${each.id} change=${each} hasObject=${hasObject} onReverted=${found.refresh} />`)}
    </ol>
    ${found.total > length &&
    most === undefined &&
    html`<button
      type="button"
      onClick=${() => {
        setLength(length + AT_ONCE);
        found.onVisible(0, length + AT_ONCE);
      }}
    >
      Show older ones (${counted(found.total - length, "more", "more")})
    </button>`}
  `;
}

/** @param {{change: Obj, hasObject: boolean, onReverted: () => void}} properties */
function Change({ change, hasObject, onReverted }) {
  const { schema } = useApplication();
  const type = schema.types.get(change.objectType);
  const what = `${type?.list.singular ?? change.objectType.slice(2)} ${change.objectName ?? ""}`.trim();
  const path = change.kind === "destroyed" ? null : pathOfObject(change.objectType, change.objectId);
  return html`
    <li>
      <details>
        <summary>
          <${Time} at=${change.at} />
          <span><strong>${authorOf(change, schema)}</strong> ${KINDS[change.kind]} ${hasObject ? html`<strong>${what}</strong>` : "it"}</span>
          ${change.kind === "updated" && html`<span class="quiet">${changedWords(changedLabels(type, schema, change))}</span>`}
          ${change.revertOf && html`<span class="tag">takes back an earlier change</span>`}
        </summary>
        <div class="change-body">
          <${Diff} typeName=${change.objectType} before=${change.before} after=${change.after} redacted=${change.redacted} />
          <p class="quiet">${originOf(change)}</p>
          <div class="form-actions">
            ${hasObject && path && html`<a class="button" href=${`#${path}`}>Open</a>`}
            <${RevertButton} change=${change} what=${what} onReverted=${onReverted} />
          </div>
        </div>
      </details>
    </li>
  `;
}

/** @param {string[]} labels */
function changedWords(labels) {
  const more = labels.length - LABELS_SHOWN;
  return more > 1 ? `${labels.slice(0, LABELS_SHOWN).join(", ")} and ${more} more` : labels.join(", ");
}

/** @param {Obj} change @param {Schema} schema */
function authorOf(change, schema) {
  if (change.account) return change.apiKey ? `${change.account} (API key ${change.apiKey})` : change.account;
  return schema.labelOf(schema.types.get(TYPE)?.properties.get("cause")?.type.enumName, change.cause);
}

/** @param {Obj} change */
function originOf(change) {
  const from = change.sourceAddress ? `from ${change.sourceAddress}` : "";
  const through = change.listener ? `through the listener ${change.listener}` : "";
  return [`${change.at}`, from, through, `revision ${change.revision}`].filter(Boolean).join(", ");
}

/** @param {{change: Obj, what: string, onReverted: () => void}} properties */
function RevertButton({ change, what, onReverted }) {
  const { session, notify, confirm } = useApplication();
  const [preview, setPreview] = useState(/** @type {{outcome: Outcome, force: boolean} | null} */ (null));
  const [isBusy, setBusy] = useState(false);
  if (!session.may("sysChangeCreate")) return null;

  /** @param {SetOptions} options @returns {Promise<Outcome | null>} null where it cannot be done; the person has been told */
  async function revert(options) {
    setBusy(true);
    try {
      const ask = (/** @type {SetOptions} */ more) => createObject(session, TYPE, { revertOf: change.id }, { ...options, ...more });
      const outcome = await askToInsist(await ask({}), ask, { confirm, isDryRun: options.dryRun === true, action: "Take it back" });
      if (outcome?.isDone || (outcome?.isConflict && !options.force)) return outcome;
      notify(outcome?.words ?? "It cannot be taken back.", "bad");
    } catch (error) {
      notify(/** @type {Error} */ (error).message, "bad");
    } finally {
      setBusy(false);
    }
    return null;
  }

  async function look() {
    let outcome = await revert({ dryRun: true });
    const force = outcome !== null && !outcome.isDone;
    if (outcome && force) outcome = (await confirm(overwriteQuestion(outcome))) ? await revert({ dryRun: true, force }) : null;
    if (outcome) setPreview({ outcome, force });
  }

  async function save() {
    const outcome = await revert({ force: preview?.force });
    setPreview(null);
    if (!outcome?.isDone) return;
    notify(`The ${what} is as it was before this change.`);
    onReverted();
  }

  return html`
    <button type="button" aria-disabled=${isBusy ? "true" : undefined} onClick=${() => isBusy || look()}>Take back …</button>
    ${preview &&
    html`<${PreviewDialog}
      outcome=${preview.outcome}
      words=${OPPOSITES[change.kind](what)}
      action="Take it back"
      onSave=${save}
      onClose=${() => setPreview(null)}
    />`}
  `;
}

/** @param {Outcome} outcome */
function overwriteQuestion(outcome) {
  return {
    title: "It has been changed since",
    words: html`<p>${outcome.words}</p>`,
    action: "Take it back all the same",
    tone: /** @type {const} */ ("bad"),
  };
}
