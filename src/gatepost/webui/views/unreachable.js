// Shown when the page was loaded and the server behind it does not answer.

import { h } from "../dom.js";

/** `retry` is called when the person asks for it. */
export function unreachableView(message, retry) {
  const again = h("button", { type: "button", class: "primary", onclick: retry }, "Try again");
  const element = h(
    "main",
    { class: "card narrow" },
    h("h1", {}, "No connection"),
    h("p", { role: "alert" }, message),
    h("p", { class: "quiet" }, "Check that the server is running and that this address leads to it."),
    again,
  );
  return { title: "No connection", element, start: () => again.focus() };
}
