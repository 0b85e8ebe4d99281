// Ctrl-K: finds pages, listeners, accounts and other objects, and the fields of forms, and goes there.

import { pathOfObject, pagesFor, pathOfType } from "../pages.js";
import { useApplication } from "./application.js";
import { Dialog } from "./dialog.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./html.js";

/** @import {ApplicationParts} from "./application.js" */

/** @typedef {{key: string, name: string, kind: string, words: string, path: string}} Entry `words`: what is searched, in lower case */

const MOST = 30;

/** Opens and closes the palette by the keyboard. Gives whether it is open. @returns {[boolean, (isOpen: boolean) => void]} */
export function usePalette() {
  const [isOpen, setOpen] = useState(false);
  useLayoutEffect(() => { // with the drawing, not after it: whoever sees the page may press the keys
    /** @param {KeyboardEvent} event */
    function onKey(event) {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
      event.preventDefault();
      setOpen((before) => !before);
    }
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  return [isOpen, setOpen];
}

/** @param {{onClose: () => void}} properties */
export function Palette({ onClose }) {
  const application = useApplication();
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const objects = useObjects(application);
  const entries = useMemo(() => [...pageEntries(application), ...objects, ...fieldEntries(application)], [objects]);
  const found = search(entries, text);
  useEffect(() => list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" }), [chosen, text]);

  /** @param {Entry | undefined} entry */
  function go(entry) {
    if (!entry) return;
    onClose();
    application.navigate(entry.path);
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setChosen((before) => Math.max(0, Math.min(found.length - 1, before + step)));
    } else if (event.key === "Enter") {
      event.preventDefault();
      go(found[chosen]);
    }
  }

  return html`
    <${Dialog} title="Go to" onClose=${onClose} class="palette">
      <input
        type="text"
        data-begin
        role="combobox"
        aria-label="Find a page, a listener, a field, an account"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant=${found.length ? `palette-${chosen}` : undefined}
        placeholder="A page, a listener, a field, an account …"
        autocomplete="off"
        spellcheck=${false}
        value=${text}
        onInput=${(/** @type {any} */ event) => (setText(event.target.value), setChosen(0))}
        onKeyDown=${onKey}
      />
      <ul id="palette-list" role="listbox" aria-label="Found" ref=${list}>
        ${found.map(
          (entry, position) => html`
            <li
              key=${entry.key}
              id=${`palette-${position}`}
              role="option"
              aria-selected=${position === chosen ? "true" : "false"}
              onClick=${() => go(entry)}
              onMouseMove=${() => setChosen(position)}
            >
              <span>${entry.name}</span> <span class="quiet">${entry.kind}</span>
            </li>
          `,
        )}
      </ul>
      ${found.length === 0 && html`<p class="notice">Nothing has these words.</p>`}
    <//>
  `;
}

/** Every word of what is typed has to be there; names that begin with it come first. @param {Entry[]} entries @param {string} text */
function search(entries, text) {
  const typed = text.trim().toLowerCase();
  const words = typed.split(/\s+/);
  return entries
    .filter((entry) => words.every((word) => entry.words.includes(word)))
    .sort((left, right) => Number(right.words.startsWith(typed)) - Number(left.words.startsWith(typed)))
    .slice(0, MOST);
}

/** @param {ApplicationParts} application @returns {Entry[]} */
function pageEntries({ session, schema }) {
  return pagesFor(session, schema).flatMap((page) => {
    const entry = { key: page.path, name: page.name, kind: "Page", words: page.name.toLowerCase(), path: page.path };
    const type = page.type ? schema.types.get(page.type) : undefined;
    if (!type || type.isSingleton || !session.may(type.permission("Create"))) return [entry];
    const name = `New ${type.list.singular}`;
    return [entry, { key: `${page.path}/new`, name, kind: "Create", words: name.toLowerCase(), path: `${page.path}/new` }];
  });
}

/** Every field of every form: where it can be changed, or what objects have it. @param {ApplicationParts} application @returns {Entry[]} */
function fieldEntries({ session, schema }) {
  return [...schema.types.values()].flatMap((type) => {
    const path = pathOfType(type.name);
    if (path === null || !session.may(type.permission(type.isSingleton ? "Get" : "Create"))) return [];
    return type.sections.flatMap((section) =>
      section.fields.map((field) => {
        const property = type.properties.get(field);
        const kind = `Field of ${type.isSingleton ? type.list.title : type.list.plural}, ${section.title}`;
        const words = `${property?.label} ${field} ${kind}`.toLowerCase();
        const target = type.isSingleton ? `${path}?field=${field}` : `${path}/new?field=${field}`;
        return { key: `${type.name} ${field}`, name: property?.label ?? field, kind, words, path: target };
      }),
    );
  });
}

/** The objects that have pages, read when the palette opens. @param {ApplicationParts} application */
function useObjects({ session, schema, live }) {
  const [, setTurn] = useState(0);
  const types = pagesFor(session, schema).flatMap((page) => (page.type ? schema.type(page.type) : []));
  useEffect(() => {
    const ends = types.map((type) => live.collection(type.name).watch(() => setTurn((turn) => turn + 1)));
    return () => ends.forEach((end) => end());
  }, []);
  const known = types.map((type) => live.collection(type.name).objects);
  return useMemo(
    () =>
      types.flatMap((type, position) =>
        (known[position] ?? []).map((object) => {
          const name = type.labelOf(object);
          const kind = type.list.singular;
          const words = `${name} ${kind} ${Object.keys(object.bind ?? {}).join(" ")}`.toLowerCase();
          return { key: `${type.name} ${object.id}`, name, kind, words, path: pathOfObject(type.name, object.id) ?? "/" };
        }),
      ),
    known,
  );
}
