// What nothing forbids and is hardly meant: the server's warnings, asked for before a change is saved.

import { html } from "./html.js";

/** @import {ApplicationParts} from "./application.js" */
/** @import {Outcome, SetOptions} from "../server/changes.js" */

/** @param {{warnings: string[]}} properties */
export function Warnings({ warnings }) {
  if (warnings.length === 0) return null;
  return html`<ul class="warnings">${warnings.map((words) => html`<li key=${words}>${words}</li>`)}</ul>`;
}

/**
 * Gives whether to go on: there are no warnings, or the person has seen them. Those that held before the change are not news, and
 * what is refused is said when it is saved.
 * @param {(options: SetOptions) => Promise<Outcome | null>} ask
 * @param {() => Promise<Outcome | null>} askUnchanged what a dry run says to the object as it is
 * @param {{confirm: ApplicationParts["confirm"], action: string}} context
 * @returns {Promise<boolean>}
 */
export async function confirmWarnings(ask, askUnchanged, { confirm, action }) {
  const tried = await ask({ dryRun: true });
  if (!tried?.isDone || tried.warnings.length === 0) return true;
  const known = (await askUnchanged())?.warnings ?? [];
  const news = tried.warnings.filter((words) => !known.includes(words));
  if (news.length === 0) return true;
  return confirm({
    title: "Is this meant?",
    words: html`<p>Nothing forbids it, but:</p><${Warnings} warnings=${news} />`,
    action: `${action} it`,
  });
}
