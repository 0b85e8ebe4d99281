// The application: decides between the sign-in page and the pages behind it. The only module that joins the others.

import { h } from "./dom.js";
import { Router } from "./router.js";
import { Session } from "./session.js";
import { listenersView } from "./views/listeners.js";
import { shell } from "./views/shell.js";
import { signInView } from "./views/sign_in.js";
import { unreachableView } from "./views/unreachable.js";

const PAGES = [{ path: "/listeners", name: "Listeners", view: listenersView }];

const root = document.getElementById("app");
const session = new Session((message) => showSignIn(message));
let leave = () => {};

function showOnly(element, title) {
  leave();
  leave = () => {};
  root.replaceChildren(element);
  document.title = `${title} · gatepost`;
}

function showSignIn(message = null) {
  const view = signInView(session, showPages, message);
  showOnly(view.element, view.title);
  view.start();
}

function showPages() {
  let current = null;
  const frame = shell(session, PAGES, async () => {
    await session.signOut();
    showSignIn();
  });
  const routes = Object.fromEntries(PAGES.map((page) => [page.path, () => page.view(session)]));
  const router = new Router(routes, (view, path) => {
    current?.stop?.();
    current = view;
    frame.show(view.element, path);
    document.title = `${view.title} · gatepost`;
    view.start?.();
  });
  showOnly(frame.element, "Administration");
  leave = () => {
    router.stop();
    current?.stop?.();
  };
  router.start();
}

async function begin() {
  root.replaceChildren(h("p", { class: "notice", role: "status" }, "Loading …"));
  try {
    if (await session.resume()) showPages();
    else showSignIn();
  } catch (error) {
    if (error.kind === "forbidden") return showSignIn(error.message); // as over HTTP in clear: it says where to go instead
    const view = unreachableView(error.message, begin);
    showOnly(view.element, view.title);
    view.start();
  }
}

begin();
