// The only module that talks to the server over HTTP: sign-in, sign-out, the schema, and JMAP (RFC 8620) with the session
// cookie. Every failure is an ApiError whose message can be shown to a person.

export const CONFIGURATION = "urn:stalwart:jmap";
const USING = ["urn:ietf:params:jmap:core", CONFIGURATION, "urn:gatepost:jmap"];
const ANSWER_MS = 20_000;
const CHANGE_MS = 90_000; // a change is answered when it runs in all workers

/**
 * @typedef {Record<string, any>} Arguments
 * @typedef {[name: string, given: Arguments]} Call
 * @typedef {{
 *   username: string, apiUrl: string, eventSourceUrl: string,
 *   primaryAccounts: Record<string, string>, capabilities: Record<string, any>,
 * }} SessionResource
 * @typedef {{permissions: string[], ownPermissions?: string[], name?: string, role?: string, accountId?: string, csrfToken?: string}} AccountDocument
 * @typedef {"unreachable" | "unauthenticated" | "forbidden" | "refused"} FailureKind
 */

export class ApiError extends Error {
  /**
   * @param {FailureKind} kind
   * @param {string} message
   * @param {string | null} type the type of a method error, as RFC 8620 names it: `stateMismatch`
   */
  constructor(kind, message, type = null) {
    super(message);
    this.kind = kind;
    this.type = type;
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{body?: unknown, csrfToken?: string | null, timeout?: number}} [options]
 */
async function send(method, path, { body, csrfToken, timeout = ANSWER_MS } = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (csrfToken) headers["X-CSRF-Token"] = csrfToken;
  try {
    return await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: path.startsWith("/api/schema") ? "default" : "no-store", // the schema may be kept for good
      signal: AbortSignal.timeout(timeout),
    });
  } catch {
    throw new ApiError("unreachable", "The server cannot be reached.");
  }
}

/**
 * The words of a problem document (RFC 7807), or null.
 * @param {Response} response
 * @returns {Promise<string | null>}
 */
async function problemDetail(response) {
  try {
    const problem = await response.json();
    return problem.detail ?? problem.title ?? null;
  } catch {
    return null;
  }
}

/** @param {Response} response */
async function jsonOf(response) {
  if (response.ok) {
    try {
      return response.status === 204 ? {} : await response.json();
    } catch {
      throw new ApiError("refused", "The server did not answer as a gatepost server does.");
    }
  }
  const detail = await problemDetail(response);
  if (response.status === 401) throw new ApiError("unauthenticated", "You are signed out.");
  if (response.status === 403) throw new ApiError("forbidden", detail ?? "This account may not do that.");
  if (response.status >= 502 && response.status <= 504) {
    throw new ApiError("unreachable", detail ?? "The server cannot be reached.");
  }
  throw new ApiError("refused", detail ?? `The server answered ${response.status}.`);
}

/**
 * Sign in. Gives the CSRF token; the session itself is a cookie that no script can read.
 * @param {string} user
 * @param {string} password
 * @returns {Promise<string>}
 */
export async function signIn(user, password) {
  const response = await send("POST", "/api/login", { body: { user, password } });
  if (response.status === 401) throw new ApiError("refused", "The user name or the password is not right.");
  if (response.status === 429) {
    const seconds = response.headers.get("Retry-After");
    throw new ApiError("refused", `Too many attempts. Wait ${seconds ? `${seconds} seconds` : "a while"} and try again.`);
  }
  return (await jsonOf(response)).csrfToken;
}

/** @param {string | null} csrfToken */
export async function signOut(csrfToken) {
  await send("POST", "/api/logout", { csrfToken });
}

/**
 * Who is signed in.
 * @returns {Promise<AccountDocument>}
 */
export async function account() {
  return jsonOf(await send("GET", "/api/account"));
}

/**
 * The Session resource (RFC 8620 section 2).
 * @returns {Promise<SessionResource>}
 */
export async function sessionResource() {
  return jsonOf(await send("GET", "/jmap/session"));
}

/** The schema document: what objects there are, and how they are shown. */
export async function schema() {
  return jsonOf(await send("GET", "/api/schema"));
}

/**
 * Method calls in one request: `[["x:NetworkListener/get", {ids: null}], …]` gives their results in order.
 * The accountId is filled in. Throws for the first call that fails.
 * @param {SessionResource} session
 * @param {string | null} csrfToken
 * @param {Call[]} calls
 * @returns {Promise<any[]>}
 */
export async function jmap(session, csrfToken, calls) {
  const accountId = session.primaryAccounts?.[CONFIGURATION];
  if (!accountId) throw new ApiError("forbidden", "This account has no access to the configuration.");
  const methodCalls = calls.map(([name, given], position) => [name, { accountId, ...given }, String(position)]);
  const path = new URL(session.apiUrl, location.href).pathname; // a proxy in front may have another host name
  const timeout = calls.some(([name]) => name.endsWith("/set")) ? CHANGE_MS : ANSWER_MS;
  const answer = await jsonOf(await send("POST", path, { body: { using: USING, methodCalls }, csrfToken, timeout }));
  return methodCalls.map(([name, , callId]) => resultOf(answer, String(name), String(callId)));
}

/**
 * @param {{methodResponses: [string, any, string][]}} answer
 * @param {string} name
 * @param {string} callId
 */
function resultOf(answer, name, callId) {
  const [answered, result] = answer.methodResponses.find((response) => response[2] === callId) ?? ["error", {}];
  if (answered !== "error") return result;
  const kind = result.type === "forbidden" ? "forbidden" : "refused";
  throw new ApiError(kind, `${name}: ${result.description ?? result.type ?? "not answered"}`, result.type ?? null);
}
