// Signing in, and signing in again where a session ended while somebody worked.

import { Dialog } from "../parts/dialog.js";
import { html, useEffect, useRef, useState } from "../parts/html.js";
import { useTitle } from "../parts/small.js";

/** @import {Session} from "../server/session.js" */

/** @param {{session: Session, words: string | null, onSignedIn: () => void}} properties */
export function SignInView({ session, words, onSignedIn }) {
  useTitle("Sign in");
  return html`
    <main class="card narrow">
      <img src="icon.svg" alt="" width="40" height="40" />
      <h1>Sign in to gatepost</h1>
      <${SignInForm} session=${session} words=${words} onSignedIn=${onSignedIn} />
    </main>
  `;
}

/** Over the page, which stays as it is. @param {{session: Session, onSignedIn: () => void, onGiveUp: () => void}} properties */
export function SignInAgain({ session, onSignedIn, onGiveUp }) {
  return html`
    <${Dialog} title="Sign in again" onClose=${onGiveUp}>
      <div class="dialog-body">
        <p>Your session has ended. What you typed is still there.</p>
        <${SignInForm} session=${session} words=${null} user=${session.userName} onSignedIn=${onSignedIn} />
      </div>
    <//>
  `;
}

/** @param {{session: Session, words: string | null, user?: string, onSignedIn: () => void}} properties */
function SignInForm({ session, words, user = "", onSignedIn }) {
  const [problem, setProblem] = useState(words);
  const [isBusy, setBusy] = useState(false);
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  useEffect(() => {
    const first = /** @type {HTMLInputElement | null} */ (form.current?.querySelector(user ? "#password" : "#user"));
    first?.focus();
  }, []);

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    const fields = new FormData(/** @type {HTMLFormElement} */ (event.target));
    setBusy(true);
    setProblem(null);
    try {
      await session.signIn(String(fields.get("user")), String(fields.get("password")));
      onSignedIn();
    } catch (error) {
      setProblem(/** @type {Error} */ (error).message);
      setBusy(false);
      /** @type {HTMLInputElement | null | undefined} */ (form.current?.querySelector("#password"))?.select();
    }
  }

  return html`
    <form ref=${form} class="sign-in" onSubmit=${submit}>
      <div class="field">
        <label for="user">User name</label>
        <input id="user" name="user" autocomplete="username" autocapitalize="none" spellcheck=${false} required defaultValue=${user} />
      </div>
      <div class="field">
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" required />
      </div>
      <p class="error" role="alert">${problem}</p>
      <button type="submit" class="primary" disabled=${isBusy}>Sign in</button>
    </form>
  `;
}
