// What stands around every page: the bar with the pages, who is signed in, and the way out.

import { h, setAttribute } from "../dom.js";

/** `pages`: `[{path, name}]`. Gives `{element, show(element, path)}`. */
export function shell(session, pages, onSignOut) {
  const main = h("main", { id: "main", tabindex: "-1" });
  const links = new Map(pages.map((page) => [page.path, h("a", { href: `#${page.path}` }, page.name)]));
  const bar = h(
    "header",
    { class: "bar" },
    h("img", { src: "icon.svg", alt: "", width: "28", height: "28" }),
    h("span", { class: "product" }, "gatepost"),
    h("nav", { "aria-label": "Pages" }, ...links.values()),
    h("span", { class: "user", title: session.userName }, session.userName),
    h("button", { type: "button", onclick: onSignOut }, "Sign out"),
  );
  const skip = h("button", { type: "button", class: "skip", onclick: () => main.focus() }, "Skip to content");

  function show(element, path) {
    for (const [each, link] of links) setAttribute(link, "aria-current", each === path ? "page" : null);
    main.replaceChildren(element);
  }

  return { element: h("div", { class: "shell" }, skip, bar, main), show };
}
