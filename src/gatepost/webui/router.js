// Which view stands behind the part of the address after `#`. A view is a function that gives
// `{title, element, start?, stop?}`; `start` is called when its element is in the page, `stop` when it leaves it.

export class Router {
  #routes;
  #show;

  /** `routes`: path → view function; the first one is the home page. `show(view, path)` puts a view into the page. */
  constructor(routes, show) {
    this.#routes = routes;
    this.#show = show;
    this.navigate = this.navigate.bind(this);
  }

  start() {
    addEventListener("hashchange", this.navigate);
    this.navigate();
  }

  stop() {
    removeEventListener("hashchange", this.navigate);
  }

  navigate() {
    const wanted = location.hash.replace(/^#/, "");
    const path = wanted in this.#routes ? wanted : Object.keys(this.#routes)[0];
    this.#show(this.#routes[path](), path);
  }
}
