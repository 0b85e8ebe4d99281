// Only the rows that can be seen are in the page; two empty rows stand for the others. Rows may differ in height: those that
// were drawn are measured, the others are taken to be of average height. The page itself scrolls, not the table.

import { useEffect, useLayoutEffect, useRef, useState } from "./html.js";

const ALWAYS_DRAWN = 60; // a table of so many rows is drawn whole
const MARGIN_PX = 600; // what is drawn above and below the window, so that scrolling never meets a blank
const FIRST_GUESS_PX = 45;

/** @typedef {{first: number, last: number}} Range the rows from `first` on, `last` not among them */

/** Heights of rows by position, and the average for those that were never drawn. */
class Heights {
  /** @type {number[]} */
  #known = [];
  #sum = 0;
  #count = 0;

  get guess() {
    return this.#count ? this.#sum / this.#count : FIRST_GUESS_PX;
  }

  /** @param {number} position */
  of(position) {
    return this.#known[position] ?? this.guess;
  }

  /** @param {number} position @param {number} height whether that is news */
  learn(position, height) {
    const before = this.#known[position];
    if (before === height || height === 0) return false;
    this.#sum += height - (before ?? 0);
    this.#count += before === undefined ? 1 : 0;
    this.#known[position] = height;
    return true;
  }

  /** @param {number} from @param {number} to */
  between(from, to) {
    let sum = 0;
    for (let position = from; position < to; position += 1) sum += this.of(position);
    return sum;
  }
}

/**
 * @param {number} count how many rows there are
 * @returns {Range & {before: number, after: number, body: {current: HTMLTableSectionElement | null}}} `before` and `after`:
 *   pixels that the rows take which are not drawn. `body` is for the tbody, whose drawn rows have `data-position`.
 */
export function useVirtualRows(count) {
  const body = useRef(/** @type {HTMLTableSectionElement | null} */ (null));
  const heights = useRef(new Heights());
  const [range, setRange] = useState({ first: 0, last: Math.min(count, ALWAYS_DRAWN) });
  const isWhole = count <= ALWAYS_DRAWN;

  useEffect(() => {
    if (isWhole) return undefined;
    let frame = 0;
    const look = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        setRange((before) => visible(body.current, heights.current, count, before));
      });
    };
    look();
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [count, isWhole]);

  useLayoutEffect(() => {
    if (isWhole || !body.current) return;
    const gap = parseFloat(getComputedStyle(body.current).rowGap) || 0; // between the cards of a narrow screen
    for (const row of /** @type {NodeListOf<HTMLElement>} */ (body.current.querySelectorAll("tr[data-position]"))) {
      heights.current.learn(Number(row.dataset.position), row.offsetHeight && row.offsetHeight + gap);
    }
  });

  if (isWhole) return { first: 0, last: count, before: 0, after: 0, body };
  const first = Math.min(range.first, count);
  const last = Math.min(Math.max(range.last, first), count);
  return { first, last, before: heights.current.between(0, first), after: heights.current.between(last, count), body };
}

/**
 * @param {HTMLElement | null} body
 * @param {Heights} heights
 * @param {number} count
 * @param {Range} before
 */
function visible(body, heights, count, before) {
  if (!body) return before;
  const top = -body.getBoundingClientRect().top - MARGIN_PX;
  const bottom = top + innerHeight + 2 * MARGIN_PX;
  let first = 0;
  let reached = 0;
  while (first < count && reached + heights.of(first) < top) reached += heights.of(first++);
  let last = first;
  while (last < count && reached < bottom) reached += heights.of(last++);
  return first === before.first && last === before.last ? before : { first, last };
}
