// The application: decides between the sign-in page and the pages behind it, and joins the parts.

import { ApplicationProvider, useApplication } from "./parts/application.js";
import { ConfirmDialog } from "./parts/dialog.js";
import { later } from "./parts/later.js";
import { html, render, useEffect, useMemo, useRef, useState } from "./parts/html.js";
import { Notices } from "./parts/notices.js";
import { confirmLeaving, navigate, useRoute } from "./parts/router.js";
import { Failure, PageHead, useTitle } from "./parts/small.js";
import { isOwnAccount, pagesFor, PAGES } from "./pages.js";
import { Live } from "./server/live.js";
import { Schema } from "./server/schema.js";
import { Session } from "./server/session.js";
import { HistoryView } from "./views/history.js";
import { OverviewView } from "./views/overview.js";
import { Shell } from "./views/shell.js";
import { SignInAgain, SignInView } from "./views/sign_in.js";

/** @import {ApiError} from "./server/api.js" */
/** @import {Notice} from "./parts/notices.js" */
/** @import {Question} from "./parts/dialog.js" */
/** @import {Route} from "./parts/router.js" */

const NOTICE_MS = 8_000;
const AFTER_FIRST_PAGE_MS = 500;

const ApiKeyView = later(async () => (await import("./views/api_key.js")).ApiKeyView);
const CertificateView = later(async () => (await import("./views/certificate.js")).CertificateView);
const CertificatesView = later(async () => (await import("./views/certificates.js")).CertificatesView);
const ConnectionsView = later(async () => (await import("./views/connections.js")).ConnectionsView);
const GeneralView = later(async () => (await import("./views/general.js")).GeneralView);
const ListenerView = later(async () => (await import("./views/listener.js")).ListenerView);
const ListenersView = later(async () => (await import("./views/listeners.js")).ListenersView);
const ObjectView = later(async () => (await import("./views/object.js")).ObjectView);
const ObjectsView = later(async () => (await import("./views/objects.js")).ObjectsView);
const LATER = [ListenersView, ConnectionsView, ListenerView, ObjectsView, ObjectView, CertificatesView, CertificateView, GeneralView, ApiKeyView];

/** What is shown at a path, and at `path/id`. All others are the general ones. @type {Record<string, {list: any, object?: any}>} */
const VIEWS = {
  "/overview": { list: OverviewView },
  "/connections": { list: ConnectionsView },
  "/history": { list: HistoryView },
  "/listeners": { list: ListenersView, object: ListenerView },
  "/certificates": { list: CertificatesView, object: CertificateView },
  "/general": { list: GeneralView },
  "/api-keys": { list: ObjectsView, object: ApiKeyView },
};

/** @param {{session: Session}} properties */
function Application({ session }) {
  const [stage, setStage] = useState(/** @type {"loading" | "signIn" | "pages" | "unreachable"} */ ("loading"));
  const [words, setWords] = useState(/** @type {string | null} */ (null));
  const [schema, setSchema] = useState(/** @type {Schema | null} */ (null));

  function enter() {
    setSchema(new Schema(session.schema));
    setStage("pages");
  }

  async function begin() {
    setStage("loading");
    try {
      if (await session.resume()) enter();
      else setStage("signIn");
    } catch (error) {
      const failure = /** @type {ApiError} */ (error);
      setWords(failure.message); // over HTTP in clear it says where to go instead
      setStage(failure.kind === "forbidden" ? "signIn" : "unreachable");
    }
  }

  async function signOut() {
    await session.signOut();
    setWords(null);
    setStage("signIn");
  }

  useEffect(() => void begin(), []);
  if (stage === "signIn") return html`<${SignInView} session=${session} words=${words} onSignedIn=${enter} />`;
  if (stage === "pages" && schema) return html`<${Pages} session=${session} schema=${schema} onSignOut=${signOut} />`;
  if (stage === "unreachable") {
    return html`<main class="lonely"><${Failure} words=${words ?? ""} onRetry=${begin} /></main>`;
  }
  return html`<p class="notice" role="status">Loading …</p>`;
}

/** @param {{session: Session, schema: Schema, onSignOut: () => void}} properties */
function Pages({ session, schema, onSignOut }) {
  const live = useMemo(() => new Live(session), []);
  const route = useRoute();
  const { notices, notify, dismiss } = useNotices();
  const [question, setQuestion] = useState(/** @type {(Question & {answer: (isYes: boolean) => void}) | null} */ (null));
  const [renewal, setRenewal] = useState(/** @type {{done: () => void} | null} */ (null));
  useEffect(() => {
    live.start();
    setTimeout(() => LATER.forEach((view) => view.fetchIt()), AFTER_FIRST_PAGE_MS);
    session.onExpired = () => new Promise((resolve) => setRenewal({ done: () => resolve() }));
    return () => live.stop();
  }, []);

  /** @param {Question} asked */
  function confirm(asked) {
    return new Promise((/** @type {(isYes: boolean) => void} */ resolve) => {
      setQuestion({ ...asked, answer: (isYes) => (setQuestion(null), resolve(isYes)) });
    });
  }

  return html`
    <${ApplicationProvider} value=${{ session, live, schema, route, navigate, notify, confirm }}>
      <${Shell} onSignOut=${async () => (await confirmLeaving()) && onSignOut()}><${Page} key=${pageKey(route)} route=${route} /><//>
      <${Notices} notices=${notices} onDismiss=${dismiss} />
      ${question && html`<${ConfirmDialog} question=${question} onAnswer=${question.answer} />`}
      ${renewal &&
      html`<${SignInAgain} session=${session} onSignedIn=${() => (setRenewal(null), renewal.done())} onGiveUp=${onSignOut} />`}
    <//>
  `;
}

/** Another page begins afresh, the same page with another query goes on. @param {Route} route */
function pageKey(route) {
  return route.segments.slice(0, 2).join("/");
}

/** @param {{route: Route}} properties */
function Page({ route }) {
  const { session, schema } = useApplication();
  const [name, wantedId] = route.segments;
  const pages = pagesFor(session, schema);
  const page = name === "" ? pages[0] : pages.find((each) => each.path === `/${name}`);
  if (!page) return html`<${NoPage} isKnown=${name === "" || PAGES.some((each) => each.path === `/${name}`)} home=${pages[0]} />`;
  const views = VIEWS[page.path] ?? { list: ObjectsView, object: ObjectView };
  const id = isOwnAccount(page, session) ? session.ownId : wantedId;
  if (id && views.object) return html`<${views.object} page=${page} id=${id} />`;
  return html`<${views.list} page=${page} />`;
}

/** @param {{isKnown: boolean, home: import("./pages.js").Page | undefined}} properties `home`: a page that the account may see */
function NoPage({ isKnown, home }) {
  const title = isKnown ? "Not for this account" : "There is no such page";
  const words = isKnown
    ? "Your account may not see this page. An administrator can give it a role that may."
    : "The address is wrong, or from another version.";
  useTitle(title);
  return html`
    <${PageHead} title=${title}><//>
    <p>${words}</p>
    ${home && html`<p><a href=${`#${home.path}`}>${home.name}</a></p>`}
  `;
}

function useNotices() {
  const [notices, setNotices] = useState(/** @type {Notice[]} */ ([]));
  const next = useRef(0);
  const dismiss = (/** @type {number} */ key) => setNotices((before) => before.filter((each) => each.key !== key));
  /** @param {string} words @param {"good" | "bad"} [tone] */
  function notify(words, tone = "good") {
    const key = (next.current += 1);
    setNotices((before) => [...before.slice(-2), { key, words, tone }]);
    setTimeout(() => dismiss(key), NOTICE_MS);
  }
  return { notices, notify, dismiss };
}

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
render(html`<${Application} session=${new Session()} />`, root);
