// A small live chart of what was looked at again and again. The chart library is loaded with the first chart, and draws in the
// colours of the page. What is out of sight is not drawn: a page can have hundreds.

import { html, useEffect, useRef, useState } from "./html.js";

/** @import {Series} from "../traffic.js" */

/**
 * @typedef {{label: string, colour: string, dash?: number[]}} Line `colour`: its name in tokens.css; the dashes are those of the
 *   keys beside the numbers, in overview.css
 * @typedef {{lines: Line[], rows: (series: Series, cap: number | null) => (number | null)[][], most: number | null}} Kind
 *   `rows`: one for each line, what is drawn first comes first; `most`: the top of the chart, null where that is what comes
 */

const NEAR_SIGHT = "200px"; // drawn before it is scrolled to

const ACCEPTED = { label: "accepted", colour: "--accent" };
const REFUSED = { label: "refused", colour: "--bad", dash: [6, 3] };
const FAILED = { label: "TLS failures", colour: "--busy", dash: [2, 2] };

/** @type {Kind} each per second */
export const RATES = {
  lines: [FAILED, REFUSED, ACCEPTED],
  rows: (series) => [series.tlsFailures, series.refused, series.accepted],
  most: null,
};
/** @type {Kind} */
export const RATES_IN_CLEAR = { lines: [REFUSED, ACCEPTED], rows: (series) => [series.refused, series.accepted], most: null };
/** @type {Kind} the cap is a line where it is near */
export const OPEN = {
  lines: [
    { label: "cap", colour: "--bad", dash: [6, 3] },
    { label: "open", colour: "--quiet" },
  ],
  rows: (series, cap) => [capRow(series.connections, cap), series.connections],
  most: null,
};
/** @type {Kind} */
export const TLS_SHARE = { lines: [{ label: "TLS", colour: "--good" }], rows: (series) => [series.tlsShare], most: 100 };

/** @param {number[]} open @param {number | null} cap */
function capRow(open, cap) {
  const isNear = cap !== null && Math.max(...open) >= cap / 2;
  return open.map(() => (isNear ? cap : null));
}

/** @param {string} name of a colour in tokens.css */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** @param {Kind} kind @param {number} width @param {number} height */
function optionsOf(kind, width, height) {
  const line = (/** @type {Line} */ { label, colour: name, dash }) => ({ label, stroke: colour(name), dash, width: 1.5, points: { show: false } });
  /** From nothing to somewhat above the most. @param {any} _chart @param {number} _least @param {number} most @returns {[number, number]} */
  const rangeOf = (_chart, _least, most) => [0, kind.most ?? Math.max(1, most * 1.1)];
  return {
    width,
    height,
    legend: { show: false },
    cursor: { show: false },
    padding: /** @type {[number, number, number, number]} */ ([4, 0, 2, 0]),
    axes: [{ show: false }, { show: false }],
    scales: { x: { time: true }, y: { range: rangeOf } },
    series: [{}, ...kind.lines.map(line)],
  };
}

/**
 * Whoever cannot see it has the same in numbers beside it.
 * @param {{series: Series, kind: Kind, cap?: number | null, height: number}} properties `kind` stays the same as long as there is
 *   the chart
 */
export function Chart({ series, kind, cap = null, height }) {
  const frame = useRef(/** @type {HTMLElement | null} */ (null));
  const chart = useRef(/** @type {any} */ (null));
  const [scheme, setScheme] = useState(0);
  const [isSeen, setSeen] = useState(false);
  const wasSeen = useRef(false);
  wasSeen.current ||= isSeen;
  const data = useRef(/** @type {any} */ (null));
  data.current = () => [series.seconds, ...kind.rows(series, cap)];

  useEffect(() => {
    if (!wasSeen.current) return undefined;
    let isGone = false;
    import("../vendor/uplot.js").then(({ default: Plot }) => {
      if (isGone || !frame.current) return;
      chart.current = new Plot(optionsOf(kind, frame.current.clientWidth, height), data.current(), frame.current);
    });
    return () => {
      isGone = true;
      chart.current?.destroy();
      chart.current = null;
    };
  }, [scheme, kind, wasSeen.current]);

  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const repaint = () => setScheme((before) => before + 1);
    const resized = new ResizeObserver(([entry]) => chart.current?.setSize({ width: entry.contentRect.width, height }));
    const seen = new IntersectionObserver((entries) => setSeen(entries[entries.length - 1].isIntersecting), { rootMargin: NEAR_SIGHT });
    dark.addEventListener("change", repaint);
    for (const observer of [resized, seen]) if (frame.current) observer.observe(frame.current);
    return () => {
      dark.removeEventListener("change", repaint);
      resized.disconnect();
      seen.disconnect();
    };
  }, []);

  useEffect(() => {
    if (isSeen) chart.current?.setData(data.current());
  }, [series, cap, isSeen]);
  return html`<div ref=${frame} class="chart" style=${{ height: `${height}px` }} aria-hidden="true"></div>`;
}
