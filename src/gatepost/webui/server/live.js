// Configuration objects, kept as the server has them: read once, then only what changed, whenever the server says that
// something did (RFC 8620 section 7.3). Where no push comes through, it asks every few seconds. No DOM.

import { readAll, readObjects } from "./reading.js";

/** @import {Session} from "./session.js" */
/** @import {Obj} from "./schema.js" */

const ASK_MS = 10_000; // where there is no push
const PING_S = 30;

/** All objects of one type. `objects` is null until they were read; it is replaced, never changed, when one changes. */
export class Collection {
  #session;
  #type;
  /** @type {Set<() => void>} */
  #watchers = new Set();
  /** @type {Promise<void> | null} */
  #underWay = null;
  #isAskedAgain = false;
  #isDoubted = false;

  /**
   * @param {Session} session
   * @param {string} type
   */
  constructor(session, type) {
    this.#session = session;
    this.#type = type;
    /** @type {Obj[] | null} */
    this.objects = null;
    /** @type {string | null} */
    this.state = null;
    /** @type {Error | null} */
    this.error = null;
  }

  /**
   * The server has, or may have, something new: asked for at once if somebody looks on, else when somebody does again.
   * @param {string | null} [state] the server's, where it is known
   */
  doubt(state = null) {
    const isBegun = this.objects !== null || this.#underWay !== null; // what was never read is read when it is wanted
    if (!isBegun || (state !== null && state === this.state)) return;
    this.#isDoubted = true;
    if (this.#watchers.size > 0) this.refresh();
  }

  /** @param {string} id */
  find(id) {
    return this.objects?.find((object) => object.id === id) ?? null;
  }

  /**
   * Calls `onChange` whenever something changes. Gives a function that ends it.
   * @param {() => void} onChange
   */
  watch(onChange) {
    this.#watchers.add(onChange);
    if (this.objects === null || this.#isDoubted) this.refresh();
    return () => void this.#watchers.delete(onChange);
  }

  /** Ask the server what is new. What is asked while an answer is on its way is asked once more after it. */
  refresh() {
    if (this.#underWay) {
      this.#isAskedAgain = true;
      return this.#underWay;
    }
    this.#isDoubted = false;
    this.#underWay = this.#ask().finally(() => {
      this.#underWay = null;
      if (this.#isAskedAgain) {
        this.#isAskedAgain = false;
        this.refresh();
      }
    });
    return this.#underWay;
  }

  async #ask() {
    try {
      if (this.state === null || !(await this.#readChanges(this.state))) await this.#readAll();
      this.error = null;
    } catch (error) {
      this.error = /** @type {Error} */ (error);
    }
    for (const each of this.#watchers) each();
  }

  async #readAll() {
    const { objects, state } = await readAll(this.#session, this.#type);
    this.objects = objects;
    this.state = state;
  }

  /**
   * @param {string} since
   * @returns {Promise<boolean>} false where the server cannot tell what changed
   */
  async #readChanges(since) {
    let changes;
    try {
      [changes] = await this.#session.call([[`${this.#type}/changes`, { sinceState: since }]]);
    } catch (error) {
      if (/** @type {any} */ (error).type !== "cannotCalculateChanges") throw error;
      return false;
    }
    if (changes.newState === since) return true;
    const list = await readObjects(this.#session, this.#type, [...changes.created, ...changes.updated]);
    const fresh = new Map(list.map((object) => [object.id, object]));
    const gone = new Set(changes.destroyed);
    const kept = (this.objects ?? []).filter((object) => !gone.has(object.id));
    const known = new Set(kept.map((object) => object.id));
    this.objects = [...kept.map((object) => fresh.get(object.id) ?? object), ...list.filter((object) => !known.has(object.id))];
    this.state = changes.newState;
    return changes.hasMoreChanges ? this.#readChanges(changes.newState) : true;
  }
}

/** The collections of a session, and the event source that tells which of them are out of date. */
export class Live {
  #session;
  /** @type {Map<string, Collection>} */
  #collections = new Map();
  /** @type {Set<() => void>} */
  #followers = new Set();
  /** @type {EventSource | null} */
  #events = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {Session} session */
  constructor(session) {
    this.#session = session;
  }

  /** @param {string} type with `x:` */
  collection(type) {
    const known = this.#collections.get(type) ?? new Collection(this.#session, type);
    this.#collections.set(type, known);
    return known;
  }

  /**
   * Calls `onChange` when the server says that an object has changed, of whatever type. Gives a function that ends it.
   * @param {() => void} onChange
   */
  follow(onChange) {
    this.#followers.add(onChange);
    return () => void this.#followers.delete(onChange);
  }

  start() {
    this.#listen();
    this.#timer = setInterval(() => {
      if (document.hidden) return;
      if (this.#events?.readyState === EventSource.OPEN) return;
      if (this.#events?.readyState !== EventSource.CONNECTING) this.#listen();
      this.#doubtAll();
    }, ASK_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#events?.close();
    this.#events = null;
  }

  #listen() {
    const template = this.#session.eventSourceUrl;
    if (!template) return;
    const url = new URL(
      template.replace("{types}", "*").replace("{closeafter}", "no").replace("{ping}", String(PING_S)),
      location.href,
    );
    this.#events?.close();
    this.#events = new EventSource(url.pathname + url.search); // the path alone: a proxy may have another host name
    this.#events.addEventListener("open", () => this.#doubtAll()); // what happened while nobody listened
    this.#events.addEventListener("state", (event) => this.#onState(/** @type {MessageEvent} */ (event)));
  }

  /** @param {MessageEvent<string>} event its data is a StateChange (RFC 8620 section 7.1) */
  #onState(event) {
    const changed = JSON.parse(event.data).changed?.[this.#session.accountId] ?? {};
    for (const [type, state] of Object.entries(changed)) {
      this.#collections.get(type)?.doubt(/** @type {string} */ (state));
    }
    for (const each of this.#followers) each();
  }

  #doubtAll() {
    for (const each of this.#collections.values()) each.doubt();
  }
}
