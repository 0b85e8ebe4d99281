// What stands around every page: the menu, who is signed in, and the way out.

import { useApplication } from "../parts/application.js";
import { useFocusKept } from "../parts/focus.js";
import { html, useEffect, useState } from "../parts/html.js";
import { Palette, usePalette } from "../parts/palette.js";
import { pagesFor } from "../pages.js";

/** @import {Children} from "../parts/html.js" */
/** @import {Page} from "../pages.js" */

/** @param {{onSignOut: () => void, children?: Children}} properties */
export function Shell({ onSignOut, children }) {
  const { session, schema, route } = useApplication();
  const [isOpen, setOpen] = useState(false);
  const [isPaletteOpen, setPaletteOpen] = usePalette();
  useEffect(() => setOpen(false), [route.path]);
  useFocusKept();
  const pages = pagesFor(session, schema);
  const groups = [...new Set(pages.map((page) => page.group))];
  return html`
    <div class="shell">
      <button type="button" class="skip" onClick=${() => document.getElementById("main")?.focus()}>Skip to content</button>
      <header class="bar">
        <button
          type="button"
          class="menu-button plain"
          aria-expanded=${isOpen ? "true" : "false"}
          aria-controls="menu"
          onClick=${() => setOpen(!isOpen)}
        >
          Menu
        </button>
        <img src="icon.svg" alt="" width="28" height="28" />
        <span class="product">gatepost</span>
        <button type="button" class="plain" aria-keyshortcuts="Control+K" onClick=${() => setPaletteOpen(true)}>Go to <kbd>Ctrl K</kbd></button>
        <span class="user" title=${`Signed in as ${session.userName}`}>${session.userName}</span>
        <button type="button" onClick=${onSignOut}>Sign out</button>
      </header>
      <nav id="menu" class="menu" aria-label="Pages" data-open=${isOpen ? "true" : undefined}>
        <p class="menu-user quiet">Signed in as ${session.userName}</p>
        ${groups.map(
          (group) => html`
            <section key=${group}>
              ${group && html`<h2>${group}</h2>`}
              <ul>
                ${pages
                  .filter((page) => page.group === group)
                  .map((page) => html`<${MenuLink} key=${page.path} page=${page} path=${route.path} isFirst=${page === pages[0]} />`)}
              </ul>
            </section>
          `,
        )}
      </nav>
      <main id="main" tabindex="-1">${children}</main>
      ${isPaletteOpen && html`<${Palette} onClose=${() => setPaletteOpen(false)} />`}
    </div>
  `;
}

/** @param {{page: Page, path: string, isFirst: boolean}} properties `isFirst`: it is what is shown where no page is named */
function MenuLink({ page, path, isFirst }) {
  const isHere = path === page.path || path.startsWith(`${page.path}/`) || (path === "/" && isFirst);
  return html`<li><a href=${`#${page.path}`} aria-current=${isHere ? "page" : undefined}>${page.name}</a></li>`;
}
