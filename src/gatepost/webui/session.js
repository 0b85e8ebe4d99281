// Who is signed in. Keeps the CSRF token and the Session resource; tells the application when the session has ended.
// The token alone opens nothing: it only counts together with the cookie, which no script can read.

import * as api from "./api.js";

const STORED_TOKEN = "gatepost.csrfToken";
const STORED_USER = "gatepost.user";

export class Session {
  #csrfToken = null;
  #resource = null;
  #onEnded;

  /** `onEnded(message)` is called when the server no longer knows the session. */
  constructor(onEnded) {
    this.#onEnded = onEnded;
  }

  /** The name to show, as it was typed at sign-in or as the server gives it. */
  get userName() {
    return this.#resource?.username || sessionStorage.getItem(STORED_USER) || "";
  }

  /** Take up the session that a reload or another tab left behind. Gives whether there is one. */
  async resume() {
    try {
      const account = await api.account();
      this.#csrfToken = account.csrfToken ?? sessionStorage.getItem(STORED_TOKEN);
      if (!this.#csrfToken) return false;
      this.#resource = await api.sessionResource();
      return true;
    } catch (error) {
      if (error.kind === "unauthenticated") return false;
      throw error;
    }
  }

  /** Throws an ApiError whose message says why not. */
  async signIn(user, password) {
    this.#csrfToken = await api.signIn(user, password);
    sessionStorage.setItem(STORED_TOKEN, this.#csrfToken);
    sessionStorage.setItem(STORED_USER, user);
    this.#resource = await api.sessionResource();
  }

  /** Forgets the session here even if the server cannot be told. */
  async signOut() {
    try {
      await api.signOut(this.#csrfToken);
    } catch {
      // the cookie ends by itself
    }
    this.#forget();
  }

  /** Method calls of one JMAP request, as `api.jmap` takes them. */
  async call(calls) {
    try {
      return await api.jmap(this.#resource, this.#csrfToken, calls);
    } catch (error) {
      if (error.kind === "unauthenticated") {
        this.#forget();
        this.#onEnded("Your session has ended. Sign in again.");
      }
      throw error;
    }
  }

  #forget() {
    this.#csrfToken = null;
    this.#resource = null;
    sessionStorage.removeItem(STORED_TOKEN);
    sessionStorage.removeItem(STORED_USER);
  }
}
