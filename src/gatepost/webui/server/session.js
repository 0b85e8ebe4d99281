// Who is signed in. Keeps the CSRF token and the Session resource; when the server no longer knows the session it asks for
// the password again and repeats the request, so that nothing that was typed is lost.
// The token alone opens nothing: it only counts together with the cookie, which no script can read.

import * as api from "./api.js";

/** @import {AccountDocument, Call, SessionResource} from "./api.js" */
/** @import {Obj} from "./schema.js" */

const STORED_TOKEN = "gatepost.csrfToken";
const STORED_USER = "gatepost.user";

export class Session {
  /** @type {string | null} */
  #csrfToken = null;
  /** @type {SessionResource | null} */
  #resource = null;
  /** @type {AccountDocument} */
  #account = { permissions: [] };
  /** @type {any} */
  #schema = null;
  /** @type {Promise<void> | null} */
  #renewal = null;

  /**
   * Called when the session has ended while somebody works; resolves when they are signed in again.
   * @type {() => Promise<void>}
   */
  onExpired = () => Promise.reject(new api.ApiError("unauthenticated", "You are signed out."));

  /** The name to show, as it was typed at sign-in or as the server gives it. */
  get userName() {
    return this.#resource?.username || sessionStorage.getItem(STORED_USER) || "";
  }

  /** The schema document, as it was when the session began here. */
  get schema() {
    return this.#schema;
  }

  get accountId() {
    return this.#resource?.primaryAccounts[api.CONFIGURATION] ?? "";
  }

  /** Where push events come from (RFC 8620 section 7.3), with its variables still in it. */
  get eventSourceUrl() {
    return this.#resource?.eventSourceUrl ?? null;
  }

  /** The id of the account that is signed in. */
  get ownId() {
    return this.#account.accountId ?? "";
  }

  /**
   * Whether it may do that: with this object, or, without one, with any.
   * @param {string} permission as `sysNetworkListenerUpdate`
   * @param {Obj | null} [object]
   */
  may(permission, object = null) {
    if (this.mayEverywhere(permission)) return true;
    const isOwn = object === null || object.id === this.ownId || object.accountId === this.ownId;
    return isOwn && (this.#account.ownPermissions ?? []).includes(permission);
  }

  /** Whether it may do that with all objects of the type, not only with its own. @param {string} permission */
  mayEverywhere(permission) {
    return this.#account.permissions.includes(permission);
  }

  /** Take up the session that a reload or another tab left behind. Gives whether there is one. */
  async resume() {
    try {
      const account = api.account();
      if (sessionStorage.getItem(STORED_TOKEN) === null) await account; // hardly signed in: ask no more than that
      await this.#enter(account);
      this.#csrfToken = this.#account.csrfToken ?? sessionStorage.getItem(STORED_TOKEN);
      return this.#csrfToken !== null;
    } catch (error) {
      if (error instanceof api.ApiError && error.kind === "unauthenticated") return false;
      throw error;
    }
  }

  /**
   * Throws an ApiError whose message says why not.
   * @param {string} user
   * @param {string} password
   */
  async signIn(user, password) {
    this.#csrfToken = await api.signIn(user, password);
    sessionStorage.setItem(STORED_TOKEN, this.#csrfToken);
    sessionStorage.setItem(STORED_USER, user);
    await this.#enter(api.account());
  }

  /** Ask all at once for what the pages are made from. @param {Promise<AccountDocument>} account */
  async #enter(account) {
    [this.#account, this.#resource, this.#schema] = await Promise.all([account, api.sessionResource(), api.schema()]);
  }

  /** Forgets the session here even if the server cannot be told. */
  async signOut() {
    try {
      await api.signOut(this.#csrfToken);
    } catch {
      // the cookie ends by itself
    }
    this.#csrfToken = null;
    this.#resource = null;
    sessionStorage.removeItem(STORED_TOKEN);
    sessionStorage.removeItem(STORED_USER);
  }

  /**
   * Method calls of one JMAP request, as `api.jmap` takes them.
   * @param {Call[]} calls
   * @returns {Promise<any[]>}
   */
  async call(calls) {
    return this.#signedIn(() => api.jmap(/** @type {SessionResource} */ (this.#resource), this.#csrfToken, calls));
  }

  /**
   * @template T
   * @param {() => Promise<T>} request
   * @returns {Promise<T>}
   */
  async #signedIn(request) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof api.ApiError) || error.kind !== "unauthenticated") throw error;
      this.#renewal ??= this.onExpired().finally(() => (this.#renewal = null));
      await this.#renewal;
      return request();
    }
  }
}
