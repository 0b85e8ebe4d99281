// A small live chart of rates. The chart library is loaded with the first chart, and draws in the colours of the page.

import { html, useEffect, useRef, useState } from "./html.js";

/** @import {Series} from "../traffic.js" */

/** @param {string} name of a colour in tokens.css */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** From nothing to somewhat above the most. @param {any} _chart @param {number} _least @param {number} most @returns {[number, number]} */
function rangeOf(_chart, _least, most) {
  return [0, Math.max(1, most * 1.1)];
}

/**
 * @param {Series} series
 * @param {number} width
 * @param {number} height
 */
function optionsOf(series, width, height) {
  const line = (/** @type {string} */ label, /** @type {string} */ stroke) => ({ label, stroke, width: 1.5, points: { show: false } });
  return {
    width,
    height,
    legend: { show: false },
    cursor: { show: false },
    padding: /** @type {[number, number, number, number]} */ ([4, 0, 2, 0]),
    axes: [{ show: false }, { show: false }],
    scales: { x: { time: true }, y: { range: rangeOf } },
    series: [{}, line("refused", colour("--bad")), line("accepted", colour("--accent"))],
  };
}

/** @param {Series} series @returns {[number[], number[], number[]]} */
function dataOf(series) {
  return [series.seconds, series.refused, series.accepted];
}

/**
 * Accepted and refused per second. Whoever cannot see it has the same in numbers beside it.
 * @param {{series: Series, height?: number}} properties
 */
export function RateChart({ series, height = 56 }) {
  const frame = useRef(/** @type {HTMLElement | null} */ (null));
  const chart = useRef(/** @type {any} */ (null));
  const [scheme, setScheme] = useState(0);

  useEffect(() => {
    let isGone = false;
    import("../vendor/uplot.js").then(({ default: Chart }) => {
      if (isGone || !frame.current) return;
      chart.current = new Chart(optionsOf(series, frame.current.clientWidth, height), dataOf(series), frame.current);
    });
    return () => {
      isGone = true;
      chart.current?.destroy();
      chart.current = null;
    };
  }, [scheme]);

  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const repaint = () => setScheme((before) => before + 1);
    const resized = new ResizeObserver(([entry]) => chart.current?.setSize({ width: entry.contentRect.width, height }));
    dark.addEventListener("change", repaint);
    if (frame.current) resized.observe(frame.current);
    return () => {
      dark.removeEventListener("change", repaint);
      resized.disconnect();
    };
  }, []);

  useEffect(() => chart.current?.setData(dataOf(series)), [series]);
  return html`<div ref=${frame} class="chart" style=${{ height: `${height}px` }} aria-hidden="true"></div>`;
}
