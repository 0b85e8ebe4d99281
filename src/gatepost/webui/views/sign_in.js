// The sign-in page.

import { h, setAttribute, setText } from "../dom.js";

/** `message` says why somebody is here again, or is null. `onSignedIn` is called after a sign-in that worked. */
export function signInView(session, onSignedIn, message) {
  const error = h("p", { class: "error", role: "alert", id: "sign-in-error" });
  const user = field("user", "User name", { type: "text", autocomplete: "username", autocapitalize: "none", spellcheck: "false" });
  const password = field("password", "Password", { type: "password", autocomplete: "current-password" });
  const submit = h("button", { type: "submit", class: "primary" }, "Sign in");

  function fail(text, input) {
    setText(error, text);
    setAttribute(input, "aria-invalid", "true");
    input.focus();
  }

  async function send(event) {
    event.preventDefault();
    setText(error, "");
    for (const each of [user.input, password.input]) setAttribute(each, "aria-invalid", null);
    if (!user.input.value) return fail("Enter your user name.", user.input);
    if (!password.input.value) return fail("Enter your password.", password.input);
    submit.disabled = true;
    setText(submit, "Signing in …");
    try {
      await session.signIn(user.input.value, password.input.value);
    } catch (reason) {
      password.input.select();
      return fail(reason.message, password.input);
    } finally {
      submit.disabled = false;
      setText(submit, "Sign in");
    }
    return onSignedIn();
  }

  const element = h(
    "main",
    { class: "card narrow" },
    h("img", { src: "icon.svg", alt: "", width: "40", height: "40" }),
    h("h1", {}, "Sign in to gatepost"),
    message ? h("p", { class: "quiet", role: "status" }, message) : null,
    h("form", { onsubmit: send, novalidate: true }, user.element, password.element, error, submit),
  );
  return { title: "Sign in", element, start: () => user.input.focus() };
}

function field(name, label, attributes) {
  const input = h("input", { id: name, name, required: true, "aria-describedby": "sign-in-error", ...attributes });
  return { input, element: h("div", { class: "field" }, h("label", { for: name }, label), input) };
}
