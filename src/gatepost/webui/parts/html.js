// The view library in one place: `html` makes elements out of a template, with texts always set as texts.
//
//     html`<button type="submit" onClick=${save}>Save</button>`

import htm from "../vendor/htm.js";
import { h } from "../vendor/preact.js";

export { createContext, Fragment, render } from "../vendor/preact.js";
export {
  useCallback,
  useContext,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "../vendor/hooks.js";

/** @typedef {import("../vendor/preact.js").ComponentChildren} Children */

export const html = htm.bind(h);
