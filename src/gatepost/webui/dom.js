// Tiny DOM building. Text is always set as text, never parsed as HTML. Used by every view; knows nothing of the API.

/**
 * An element. `attributes`: `on…` are listeners, true and false set or leave out an attribute, null leaves it out.
 * `children`: elements, texts, or null.
 *
 *     h("button", { type: "submit", onclick: save }, "Save")
 */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else setAttribute(element, key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Set or take away an attribute, only where that changes something: the page does not flicker and no reader stumbles. */
export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** Set the text of an element, only where it is another. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Make `children` the children of `parent`, leaving in place those that are there already. */
export function setChildren(parent, children) {
  children.forEach((child, position) => {
    if (parent.children[position] !== child) parent.insertBefore(child, parent.children[position] ?? null);
  });
  while (parent.children.length > children.length) parent.lastElementChild.remove();
}
