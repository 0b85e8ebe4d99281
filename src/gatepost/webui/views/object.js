// One object of any type: its form, preview, save, delete. A listener has more around it; this is what all have.

import { useApplication, useCollection } from "../parts/application.js";
import { ClashNotice } from "../parts/clash_notice.js";
import { destroySelected } from "../parts/destroying.js";
import { useEditing } from "../parts/editing.js";
import { html, useRef, useState } from "../parts/html.js";
import { goToProblem, ObjectForm } from "../parts/object_form.js";
import { PreviewDialog } from "../parts/preview_dialog.js";
import { useGuard } from "../parts/router.js";
import { Failure, PageHead, useTitle } from "../parts/small.js";
import { pathOfObject } from "../pages.js";
import { counted } from "../words.js";

/** @import {Page} from "../pages.js" */
/** @import {Editing} from "../parts/editing.js" */
/** @import {Outcome} from "../server/changes.js" */
/** @import {Obj, ObjectType} from "../server/schema.js" */

/**
 * @param {{page: Page, id: string, editor?: any}} properties `editor` shows the object, `stored` being null for a new one; where
 *   somebody deletes it meanwhile `stored` is what it was, and `isGone`
 */
export function ObjectView({ page, id, editor = ObjectEditor }) {
  const { schema } = useApplication();
  const type = schema.type(page.type ?? "");
  const collection = useCollection(type.name);
  const last = useRef(/** @type {Obj | null} */ (null));
  if (id === "new") return html`<${editor} page=${page} type=${type} stored=${null} />`;
  if (collection.objects === null) {
    return collection.error
      ? html`<${Failure} words=${collection.error.message} onRetry=${() => collection.refresh()} />`
      : html`<p class="notice" role="status">Loading …</p>`;
  }
  const found = collection.find(id);
  if (found) last.current = found;
  if (!last.current) return html`<${Gone} page=${page} type=${type} />`;
  return html`<${editor} page=${page} type=${type} stored=${last.current} isGone=${!found} />`;
}

/** @param {{page: Page, type: ObjectType}} properties */
function Gone({ page, type }) {
  return html`
    <${PageHead} title=${`This ${type.list.singular} is gone`}><//>
    <p>Somebody has deleted it, or the address is wrong. <a href=${`#${page.path}`}>All ${type.list.plural}</a></p>
  `;
}

/**
 * @param {{
 *   page: Page, type: ObjectType, stored: Obj | null, isGone?: boolean, template?: Obj, hidden?: Set<string>, noteOf?: (name: string, value: Obj) => any,
 *   consequence?: any, onCreated?: (outcome: Outcome) => void, below?: any, above?: (editing: Editing) => any, isShown?: boolean,
 * }} properties `isGone`: what was changed of it can become a new one; `noteOf`: what is to be said beside a property, `value`
 *   being the object as it is typed; `onCreated` takes over where a new object is shown; `below`: what stands below the head of the
 *   page; `above`: what stands above the form; a form that is not shown keeps what was typed
 */
export function ObjectEditor({ page, type, stored, isGone = false, template, noteOf, hidden, consequence, onCreated, below, above, isShown = true }) {
  const application = useApplication();
  const { schema, session, navigate, notify, confirm } = application;
  const editing = useEditing(type, isGone ? null : stored, template);
  const [preview, setPreview] = useState(/** @type {Outcome | null} */ (null));
  const [isLeaving, setLeaving] = useState(false);
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const permission = type.permission(editing.isNew ? "Create" : "Update");
  const mayWrite = session.may(permission, stored);
  const writable = session.mayEverywhere(permission) ? null : type.ownersProperties();
  const isDirty = editing.isDirty && !isLeaving;
  const canSend = !editing.isBusy && (editing.isNew || isDirty);
  const stands = type.isSingleton ? page.name : type.labelOf(editing.before);
  const name = editing.isNew ? `New ${type.list.singular}` : stands;
  useTitle(name);
  useGuard(isDirty, () =>
    confirm({ title: "Leave without saving?", words: html`<p>What you changed is lost.</p>`, action: "Leave", tone: "bad" }),
  );

  /** @param {boolean} [isWarned] */
  async function save(isWarned) {
    const outcome = await editing.save(isWarned);
    setPreview(null);
    if (!outcome?.isDone) return void setTimeout(() => goToProblem(form.current));
    notify(editing.isNew ? `The ${type.list.singular} has been created.` : "Saved. It is in force in all workers.");
    if (!editing.isNew) return;
    setLeaving(true);
    if (onCreated) onCreated(outcome);
    else setTimeout(() => navigate(pathOfObject(type.name, outcome.object?.id) ?? page.path));
  }

  async function look() {
    const outcome = await editing.preview();
    setPreview(outcome);
    if (!outcome?.isDone) setTimeout(() => goToProblem(form.current));
  }

  async function destroy() {
    if (!stored) return;
    setLeaving(true); // that it goes is no news then
    if (await destroySelected(application, type, [stored], consequence ?? html`<p>${page.loss}</p>`)) setTimeout(() => navigate(page.path));
    else setLeaving(false);
  }

  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    if (canSend) save();
  }

  if (isGone && !isDirty) return isLeaving ? null : html`<${Gone} page=${page} type=${type} />`;
  return html`
    <${PageHead} title=${name} subtitle=${editing.isNew || type.isSingleton ? type.description : null}>
      ${!editing.isNew &&
      !type.isSingleton &&
      session.may(type.permission("Destroy"), stored) &&
      html`<button type="button" class="danger" onClick=${destroy}>Delete …</button>`}
    <//>
    ${isGone ? html`<${GoneNotice} type=${type} />` : below}
    <${ClashNotice} editing=${editing} type=${type} />
    <form ref=${form} class="object-form" hidden=${!isShown && !isGone} onSubmit=${submit} noValidate>
      ${above?.(editing)}
      <${ObjectForm}
        ...${{ type, schema, isNew: editing.isNew, isReadOnly: !mayWrite, writable, problems: editing.problems, hidden }}
        value=${editing.value}
        noteOf=${(/** @type {string} */ field) => noteOf?.(field, editing.value)}
        changed=${editing.changed}
        onChange=${editing.change}
        onProblem=${editing.setProblem}
      />
      <${FormFoot} ...${{ editing, mayWrite, canSend, type, hidden }} onPreview=${look} />
    </form>
    ${preview?.isDone && html`<${PreviewDialog} outcome=${preview} onSave=${() => save(true)} onClose=${() => setPreview(null)} />`}
  `;
}

/** @param {{type: ObjectType}} properties */
function GoneNotice({ type }) {
  return html`
    <section class="banner" role="alert">
      <p><strong>Somebody else has deleted this ${type.list.singular} meanwhile.</strong> What you typed is still here, and can become a new one.</p>
    </section>
  `;
}

/**
 * What is not possible now keeps the focus: it is only said to be so.
 * @param {{editing: Editing, mayWrite: boolean, canSend: boolean, type: ObjectType, hidden?: Set<string>, onPreview: () => void}} properties
 */
function FormFoot({ editing, mayWrite, canSend, type, hidden, onPreview }) {
  if (!mayWrite) return html`<p class="quiet">Your account may look at this, and not change it.</p>`;
  const count = editing.changed.size;
  return html`
    <div class="form-foot">
      <p class="error" role="alert">${refusalWords(editing, type, hidden)}</p>
      <div class="form-actions">
        <button type="submit" class="primary" aria-disabled=${canSend ? undefined : "true"}>
          ${editing.isNew ? `Create ${type.list.singular}` : "Save"}
        </button>
        <button type="button" aria-disabled=${canSend ? undefined : "true"} onClick=${() => canSend && onPreview()}>Preview</button>
        ${!editing.isNew &&
        count > 0 &&
        html`<button type="button" class="plain" onClick=${editing.reset}>Undo ${counted(count, "change", "changes")}</button>`}
        ${editing.isBusy && html`<span class="quiet" role="status">Asking all workers …</span>`}
      </div>
    </div>
  `;
}

/**
 * What is wrong stands at the fields; here stands at which. What has no field is said here.
 * @param {Editing} editing
 * @param {ObjectType} type
 * @param {Set<string>} [hidden]
 */
function refusalWords(editing, type, hidden = new Set()) {
  const names = Object.keys(editing.problems).filter((name) => editing.problems[name]);
  const shown = new Set(type.sections.flatMap((section) => section.fields).filter((name) => !hidden.has(name)));
  if (editing.words === null || names.length === 0 || !names.every((name) => shown.has(name))) return editing.words;
  return `Not accepted: ${names.map((name) => type.properties.get(name)?.label).join(", ")}.`;
}
