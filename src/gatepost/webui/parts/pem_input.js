// Certificates and keys out of files: chosen, dropped or pasted, in one file or several, in any order. What is what is told by
// the text itself.

import { inOrder, piecesOf } from "../pem.js";
import { counted } from "../words.js";
import { html, useEffect, useState } from "./html.js";

/** @import {Editing} from "./editing.js" */

const LARGEST = 256 * 1024;

/** Fills `certificate` and `privateKey` of what is edited. @param {{editing: Editing}} properties */
export function PemInput({ editing }) {
  const [answer, setAnswer] = useState(/** @type {{words: string, isBad: boolean} | null} */ (null));
  const [isOver, setOver] = useState(false);

  /** @param {string} text @param {string} source */
  function take(text, source) {
    const { chain, keys, problem } = piecesOf(text);
    if (keys.length > 1) return setAnswer({ words: `There are ${keys.length} private keys. Which one belongs to the certificate?`, isBad: true });
    if (chain.length) editing.change("certificate", chainWith(editing, chain).join(""));
    if (keys.length) editing.change("privateKey", keys[0]);
    const taken = [chain.length && counted(chain.length, "certificate", "certificates"), keys.length && "the private key"].filter(Boolean);
    const words = taken.length ? `Taken from ${source}: ${taken.join(" and ")}.` : "";
    return setAnswer({ words: [words, problem].filter(Boolean).join(" "), isBad: problem !== null });
  }

  /** @param {FileList | null | undefined} list */
  async function read(list) {
    const files = [...(list ?? [])];
    const large = files.find((file) => file.size > LARGEST);
    if (large) return setAnswer({ words: `${large.name} is too large to be a certificate.`, isBad: true });
    const texts = await Promise.all(files.map((file) => file.text()));
    const without = files.find((_, position) => !texts[position].includes("-----BEGIN "));
    if (without) return setAnswer({ words: `${without.name}: ${piecesOf("").problem}`, isBad: true });
    if (files.length) take(texts.join("\n"), files.map((file) => file.name).join(", "));
    return undefined;
  }

  /** @param {Event} event */
  async function choose(event) {
    const input = /** @type {HTMLInputElement} */ (event.target);
    await read(input.files);
    input.value = ""; // so that the same file, mended, can be chosen again
  }

  usePastedPem((text) => take(text, "what was pasted"));

  return html`
    <div
      class="drop"
      data-over=${isOver ? "true" : undefined}
      onDragOver=${(/** @type {DragEvent} */ event) => (event.preventDefault(), setOver(true))}
      onDragLeave=${() => setOver(false)}
      onDrop=${(/** @type {DragEvent} */ event) => (event.preventDefault(), setOver(false), read(event.dataTransfer?.files))}
    >
      <label for="pem-files">PEM files of chain and key</label>
      <input id="pem-files" type="file" multiple accept=".pem,.crt,.cer,.key,.txt" onChange=${choose} />
      <p class="help">In one file or several, in any order. Or drop them here, or paste their text.</p>
      <p class=${answer?.isBad ? "error" : ""} role="status">${answer?.words}</p>
    </div>
  `;
}

/**
 * The chain in its order. What was given before belongs to it, if they are of one chain; else it is replaced.
 * @param {Editing} editing
 * @param {string[]} chain
 */
function chainWith(editing, chain) {
  const before = editing.changed.has("certificate") || editing.isNew ? piecesOf(editing.value.certificate ?? "").chain : [];
  return inOrder([...before, ...chain]) ?? inOrder(chain) ?? chain;
}

/** Calls `onText` for PEM text that is pasted anywhere on the page. @param {(text: string) => void} onText */
function usePastedPem(onText) {
  useEffect(() => {
    /** @param {ClipboardEvent} event */
    function onPaste(event) {
      const text = event.clipboardData?.getData("text") ?? "";
      if (!text.includes("-----BEGIN ")) return;
      event.preventDefault();
      onText(text);
    }
    addEventListener("paste", onPaste);
    return () => removeEventListener("paste", onPaste);
  });
}
