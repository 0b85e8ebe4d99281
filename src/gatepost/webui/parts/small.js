// Small things that many pages show: a state, a time, a bar, a failure.

import { numberText, relativeText, exactText } from "../words.js";
import { html, useEffect, useRef, useState } from "./html.js";

/** @import {Children} from "./html.js" */

/** @typedef {"good" | "bad" | "busy" | "idle"} Tone */

/** A state is told by its word and by a shape of its own; the colour only repeats it. @param {{word: string, tone: Tone}} properties */
export function State({ word, tone }) {
  return html`<span class="state" data-tone=${tone}>${word}</span>`;
}

/** Relative, with the exact time on hover and for screen readers. @param {{at: string | Date | null, isShort?: boolean}} properties */
export function Time({ at, isShort = false }) {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), 15_000);
    return () => clearInterval(timer);
  }, []);
  if (at === null) return html`<span class="quiet">never</span>`;
  const moment = at instanceof Date ? at : new Date(at);
  return html`<time datetime=${moment.toISOString()} title=${exactText(moment)}>${relativeText(moment, now, isShort)}</time>`;
}

/** A share of a whole, as a bar and in numbers. @param {{value: number, max: number | null, label: string}} properties */
export function Meter({ value, max, label }) {
  if (max === null) return html`<span class="number">${numberText(value)}</span>`;
  const tone = value >= max ? "bad" : value >= max * 0.8 ? "busy" : "good";
  return html`
    <span class="meter-line">
      <meter class="meter" data-tone=${tone} min="0" max=${max} value=${value} aria-label=${label}></meter>
      <span class="number">${numberText(value)} <span class="quiet">of ${numberText(max)}</span></span>
    </span>
  `;
}

const MEMBERS_SHOWN = 4;

/** Addresses, networks, names in a cell of a table: the first of them, all on demand. @param {{names: string[]}} properties */
export function Members({ names }) {
  const [isWhole, setWhole] = useState(false);
  if (names.length === 0) return html`<span class="quiet">–</span>`;
  const isLong = names.length > MEMBERS_SHOWN + 1;
  const shown = isLong && !isWhole ? names.slice(0, MEMBERS_SHOWN) : names;
  return html`
    ${shown.map((name) => html`<span key=${name} class="address">${name}</span>`)}
    ${isLong &&
    html`<button type="button" class="plain more" aria-expanded=${isWhole ? "true" : "false"} onClick=${() => setWhole(!isWhole)}>
      ${isWhole ? "show fewer" : `and ${names.length - MEMBERS_SHOWN} more`}
    </button>`}
  `;
}

/**
 * Something went wrong, and what to do.
 * @param {{words: string, onRetry?: () => void, children?: Children}} properties
 */
export function Failure({ words, onRetry, children }) {
  return html`
    <div class="banner" role="alert">
      <span>${words}</span>
      ${children} ${onRetry && html`<button type="button" onClick=${onRetry}>Try now</button>`}
    </div>
  `;
}

/** Where there is nothing yet: what it would be, and how to begin. @param {{title: string, children?: Children}} properties */
export function Empty({ title, children }) {
  return html`<div class="empty"><p class="empty-title">${title}</p>${children}</div>`;
}

/** Where a filter leaves nothing of what there is. @param {{title: string, onShowAll: () => void}} properties */
export function NothingFound({ title, onShowAll }) {
  return html`<${Empty} title=${title}><button type="button" onClick=${onShowAll}>Show all</button><//>`;
}

/**
 * The head of a page. It takes the focus when the page appears, so that the keyboard goes on there and screen readers say where
 * one has come to.
 * @param {{title: Children, subtitle?: Children, children?: Children}} properties
 */
export function PageHead({ title, subtitle, children }) {
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    scrollTo(0, 0);
    if (!document.querySelector("dialog[open]")) heading.current?.focus({ preventScroll: true });
  }, []);
  return html`
    <div class="page-head">
      <div>
        <h1 ref=${heading} tabindex="-1">${title}</h1>
        ${subtitle && html`<p class="quiet">${subtitle}</p>`}
      </div>
      <div class="page-actions">${children}</div>
    </div>
  `;
}

/** @param {string} title the title of the page in the browser's tab */
export function useTitle(title) {
  useEffect(() => {
    document.title = `${title} · gatepost`;
  }, [title]);
}
