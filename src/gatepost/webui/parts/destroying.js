// Deleting objects: asks first, says what will happen, tells what the server did.

import { destroyObjects } from "../server/changes.js";
import { counted } from "../words.js";
import { html } from "./html.js";
import { lockOutQuestion } from "./lock_out.js";

/** @import {ApplicationParts} from "./application.js" */
/** @import {Children} from "./html.js" */
/** @import {Obj, ObjectType} from "../server/schema.js" */

/**
 * Asks, and deletes. Gives whether all of them are gone.
 * @param {ApplicationParts} application
 * @param {ObjectType} type
 * @param {Obj[]} objects
 * @param {Children} [consequence] what will happen, beside that they are gone
 */
export async function destroySelected(application, type, objects, consequence = null) {
  const { live, notify, confirm } = application;
  const names = objects.map((object) => type.labelOf(object));
  const isSure = await confirm({
    title: `Delete ${counted(objects.length, type.list.singular, type.list.plural)}?`,
    words: html`
      <ul class="names">${names.slice(0, 10).map((name) => html`<li key=${name}>${name}</li>`)}</ul>
      ${names.length > 10 && html`<p>and ${names.length - 10} more.</p>`}
      ${consequence}
    `,
    action: "Delete",
    tone: "bad",
  });
  if (!isSure) return false;
  try {
    const outcomes = await destroyInsisting(application, type, objects.map((object) => object.id));
    const refused = objects.filter((object) => !outcomes[object.id].isDone);
    for (const each of refused) notify(`${type.labelOf(each)}: ${outcomes[each.id].words}`, "bad");
    const gone = objects.length - refused.length;
    if (gone) notify(`${counted(gone, type.list.singular, type.list.plural)} deleted.`);
    return refused.length === 0;
  } catch (error) {
    notify(/** @type {Error} */ (error).message, "bad");
    return false;
  } finally {
    await live.collection(type.name).refresh();
  }
}

/**
 * Those that are refused because they would cut off who asks are asked about once more.
 * @param {ApplicationParts} application
 * @param {ObjectType} type
 * @param {string[]} ids
 */
async function destroyInsisting({ session, confirm }, type, ids) {
  const outcomes = await destroyObjects(session, type.name, ids);
  const refused = ids.filter((id) => outcomes[id].isForbidden);
  if (refused.length === 0) return outcomes;
  const tried = await destroyObjects(session, type.name, refused, { dryRun: true, allowLockOut: true });
  const guarded = refused.filter((id) => tried[id].isDone && tried[id].warnings.length > 0);
  const warnings = [...new Set(guarded.flatMap((id) => tried[id].warnings))];
  if (guarded.length === 0 || !(await confirm(lockOutQuestion(warnings, "Delete")))) return outcomes;
  return { ...outcomes, ...(await destroyObjects(session, type.name, guarded, { allowLockOut: true })) };
}
