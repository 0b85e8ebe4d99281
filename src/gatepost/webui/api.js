// The only module that talks to the server: sign-in, sign-out, and JMAP (RFC 8620) with the session cookie.
// Every failure is an ApiError whose message can be shown to a person.

const CONFIGURATION = "urn:stalwart:jmap";
const USING = ["urn:ietf:params:jmap:core", CONFIGURATION, "urn:gatepost:jmap"];
const ANSWER_MS = 20_000;

/** `kind`: unreachable, unauthenticated, forbidden, refused. */
export class ApiError extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

async function send(method, path, { body, csrfToken } = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (csrfToken) headers["X-CSRF-Token"] = csrfToken;
  try {
    return await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
  } catch {
    throw new ApiError("unreachable", "The server cannot be reached.");
  }
}

/** The words of a problem document (RFC 7807), or null. */
async function problemDetail(response) {
  try {
    const problem = await response.json();
    return problem.detail ?? problem.title ?? null;
  } catch {
    return null;
  }
}

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

/** Sign in. Gives the CSRF token; the session itself is a cookie that no script can read. */
export async function signIn(user, password) {
  const response = await send("POST", "/api/login", { body: { user, password } });
  if (response.status === 401) throw new ApiError("refused", "The user name or the password is not right.");
  if (response.status === 429) {
    const seconds = response.headers.get("Retry-After");
    throw new ApiError("refused", `Too many attempts. Wait ${seconds ? `${seconds} seconds` : "a while"} and try again.`);
  }
  return (await jsonOf(response)).csrfToken;
}

export async function signOut(csrfToken) {
  await send("POST", "/api/logout", { csrfToken });
}

/** Who is signed in: `{permissions, …}`. */
export async function account() {
  return jsonOf(await send("GET", "/api/account"));
}

/** The Session resource (RFC 8620 section 2). */
export async function sessionResource() {
  return jsonOf(await send("GET", "/jmap/session"));
}

/**
 * Method calls in one request: `[["x:NetworkListener/get", {ids: null}], …]` gives their results in order.
 * The accountId is filled in.
 */
export async function jmap(session, csrfToken, calls) {
  const accountId = session.primaryAccounts?.[CONFIGURATION];
  if (!accountId) throw new ApiError("forbidden", "This account has no access to the configuration.");
  const methodCalls = calls.map(([name, given], position) => [name, { accountId, ...given }, String(position)]);
  const path = new URL(session.apiUrl, location.href).pathname; // a proxy in front may have another host name
  const answer = await jsonOf(await send("POST", path, { body: { using: USING, methodCalls }, csrfToken }));
  return methodCalls.map(([name, , callId]) => {
    const [answered, result] = answer.methodResponses.find((response) => response[2] === callId) ?? ["error", {}];
    if (answered !== "error") return result;
    const kind = result.type === "forbidden" ? "forbidden" : "refused";
    throw new ApiError(kind, `${name}: ${result.description ?? result.type ?? "not answered"}`);
  });
}
