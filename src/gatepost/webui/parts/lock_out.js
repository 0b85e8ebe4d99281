// A change that would cut off who makes it is refused by the server unless the request insists. This asks the person.

import { html } from "./html.js";
import { Warnings } from "./warnings.js";

/** @import {ApplicationParts} from "./application.js" */
/** @import {Outcome, SetOptions} from "../server/changes.js" */

/**
 * What comes of a refused request when only the lock-out guard stands in its way: tried once more as a dry run that insists, so
 * that any other reason still refuses it. A dry run is answered with what that found; anything else is asked about first.
 * @param {Outcome} refused
 * @param {(options: SetOptions) => Promise<Outcome | null>} ask
 * @param {{confirm: ApplicationParts["confirm"], isDryRun: boolean, action: string}} context
 * @returns {Promise<Outcome | null>}
 */
export async function askToInsist(refused, ask, { confirm, isDryRun, action }) {
  if (refused.isDone || !(refused.isConflict || refused.isForbidden)) return refused;
  const tried = await ask({ dryRun: true, allowLockOut: true });
  if (!tried?.isDone || tried.warnings.length === 0) return refused;
  if (isDryRun) return tried;
  if (await confirm(lockOutQuestion(tried.warnings, action))) return ask({ allowLockOut: true });
  const words = tried.warnings.join("; ");
  return { ...refused, words, problems: Object.fromEntries(Object.keys(refused.problems).map((name) => [name, words])) };
}

/** @param {string[]} warnings @param {string} action @returns {import("./dialog.js").Question} */
export function lockOutQuestion(warnings, action) {
  return {
    title: "This cuts off the way you came in",
    words: html`
      <${Warnings} warnings=${warnings} />
      <p>These pages may stop answering here. Be sure that you can sign in another way.</p>
    `,
    action: `${action} anyway`,
    tone: "bad",
  };
}
