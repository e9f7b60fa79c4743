/**
 * Follows the cluster: the overview once a second and after each event, the event log as it grows.
 *
 * If this arbiter falls silent, the page looks for another one that runs, and goes on there: as a new
 * page of that arbiter, since no arbiter answers the scripts of another one's page. What is looked at
 * stands in the address, so that it stays the same. The token doesn't: no address is a place for one. That
 * page is told that there was one, and asks for it.
 */

const REFRESH_MS = 1000;
const HIDDEN_REFRESH_MS = 10_000;
/** Events come in bursts; twice a second is as often as anybody sees. */
const LEAST_MS = 500;
const ANSWER_MS = 4000;
/** Silent for so long, another arbiter is looked for. */
const SILENT_MS = 3000;
const KNOCK_MS = 1500;
const DAY_MS = 86_400_000;
const MOST_EVENTS = 1000;
const MOVES =
  "service.activating,service.held,service.vacant,service.suspect,service.fencing,service.handing-over,service.adopted";

export class Cluster {
  overview = null;
  /** Of the last day, oldest first: what services went through. */
  moves = [];
  /** The log's end, oldest first, of whatever kind. */
  events = [];
  /** null: it answers. */
  silentSince = null;
  /** The arbiter wants the token before it shows anything. */
  isLocked = false;
  notice = "";
  /** Of the page that led here, because its arbiter had died: its name, and whether it had a token. */
  cameFrom = null;
  view = { services: 0, daemons: 0, limit: 60, filter: "" };
  #listeners = new Set();
  #lastSeq = 0;
  #timer = 0;
  #askedAt = 0;
  #isAsking = false;

  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed() {
    for (const listener of this.#listeners) listener();
  }

  get token() {
    return sessionStorage.getItem("arbiter-token") ?? "";
  }

  setToken(token) {
    if (token === "") sessionStorage.removeItem("arbiter-token");
    else sessionStorage.setItem("arbiter-token", token);
    this.isLocked = false;
    this.cameFrom = null;
    void this.start();
  }

  headers(more = {}) {
    return this.token === "" ? more : { ...more, authorization: `Bearer ${this.token}` };
  }

  look(view) {
    this.view = { ...this.view, ...view };
    this.#soon(0);
  }

  async start() {
    await this.refresh();
    if (this.isLocked) return;
    await this.#readPast();
    if (!this.isFollowing) void this.#follow();
  }

  async #readPast() {
    const since = new Date(Date.now() - DAY_MS).toISOString();
    const [moves, log] = await Promise.all([
      this.#read(`/v1/events?type=${MOVES}&since=${since}&limit=${MOST_EVENTS}`),
      this.#read("/v1/events?limit=300"),
    ]);
    this.moves = moves?.events ?? [];
    this.events = log?.events ?? [];
    this.#lastSeq = this.events.at(-1)?.seq ?? log?.last ?? 0;
    this.#changed();
  }

  async #read(path) {
    const response = await fetch(path, { headers: this.headers(), signal: AbortSignal.timeout(ANSWER_MS) });
    if (response.status === 401 || response.status === 403) this.isLocked = true;
    return response.ok ? response.json() : null;
  }

  #soon(ms) {
    clearTimeout(this.#timer);
    const rest = LEAST_MS - (performance.now() - this.#askedAt);
    this.#timer = setTimeout(() => void this.refresh(), Math.max(ms, rest));
  }

  async refresh() {
    if (this.#isAsking) return this.#soon(LEAST_MS);
    this.#isAsking = true;
    this.#askedAt = performance.now();
    const { services, daemons, limit, filter } = this.view;
    const query = new URLSearchParams({ services, daemons, limit, filter });
    try {
      const overview = await this.#read(`/v1/overview?${query}`);
      if (overview !== null) this.overview = overview;
      this.silentSince = null;
    } catch {
      this.silentSince ??= Date.now();
      if (Date.now() - this.silentSince > SILENT_MS) await this.#goElsewhere();
    } finally {
      this.#isAsking = false;
    }
    this.#changed();
    if (!this.isLocked) this.#soon(document.hidden ? HIDDEN_REFRESH_MS : REFRESH_MS);
  }

  /** The first other arbiter that runs; who answers there can't be read from here, and needn't be. */
  async #goElsewhere() {
    // Whoever is writing a reason, or reads an answer, is not taken away from it.
    if (document.querySelector("dialog[open]") !== null) return;
    const others = (this.overview?.arbiters ?? []).filter(
      ({ url }) => new URL(url).origin !== location.origin,
    );
    const knocks = others.map(async ({ name, url }) => {
      await fetch(`${url}/healthz`, { mode: "no-cors", signal: AbortSignal.timeout(KNOCK_MS) });
      return { name, url };
    });
    const next = await Promise.any(knocks).catch(() => null);
    if (next === null) return;
    this.notice = `This arbiter doesn't answer. Going on at ${next.name}.`;
    const there = new URLSearchParams(location.hash.slice(1));
    there.set("from", this.overview.name);
    if (this.token !== "") there.set("again", "token");
    location.assign(`${next.url}/#${there}`);
  }

  /** What the page that led here has left in the address; it is taken out of it at once. */
  arrive(parameters) {
    const from = parameters.get("from");
    if (from === null) return;
    this.cameFrom = { name: from, hadToken: parameters.get("again") === "token" };
    parameters.delete("from");
    parameters.delete("again");
    history.replaceState(null, "", parameters.size === 0 ? location.pathname : `#${parameters}`);
  }

  isFollowing = false;

  /** The stream of events, taken up again behind the last one seen, until the page is left. */
  async #follow() {
    this.isFollowing = true;
    while (!this.isLocked) {
      try {
        await this.#stream();
      } catch {
        // What is the matter is seen by the next refresh.
      }
      await new Promise((resolve) => setTimeout(resolve, REFRESH_MS));
    }
    this.isFollowing = false;
  }

  /** `fetch` rather than `EventSource`: that one can't send a token. */
  async #stream() {
    const headers = this.headers({ accept: "text/event-stream", "last-event-id": String(this.#lastSeq) });
    const response = await fetch("/v1/events/stream", { headers });
    if (!response.ok || response.body === null) return;
    let rest = "";
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      const found = lines.filter((line) => line.startsWith("data:"));
      if (found.length > 0) this.#take(found.map((line) => JSON.parse(line.slice("data:".length))));
    }
  }

  #take(events) {
    const fresh = events.filter(({ seq }) => seq > this.#lastSeq);
    if (fresh.length === 0) return;
    this.#lastSeq = fresh.at(-1).seq;
    this.events = [...this.events, ...fresh].slice(-MOST_EVENTS);
    const since = Date.now() - DAY_MS;
    const moves = fresh.filter(({ type }) => MOVES.split(",").includes(type));
    if (moves.length > 0)
      this.moves = [...this.moves, ...moves]
        .filter(({ atWallMs }) => atWallMs > since)
        .slice(-5 * MOST_EVENTS);
    this.#soon(0);
    this.#changed();
  }

  /** An operation. `{ok, text}`: what the arbiter says to it. */
  async order(path, body) {
    try {
      const response = await fetch(path, {
        method: "POST",
        headers: this.headers({ "content-type": "application/json" }),
        body: JSON.stringify({ by: "dashboard", ...body }),
        signal: AbortSignal.timeout(5 * ANSWER_MS),
      });
      const answer = await response.json().catch(() => ({}));
      this.#soon(0);
      const text = answer.text ?? answer.detail ?? `It answered with status ${response.status}.`;
      return { ok: response.ok, needsToken: response.status === 401, text };
    } catch {
      return {
        ok: false,
        needsToken: false,
        text: "It didn't answer. The event log shows whether it was done.",
      };
    }
  }

  /** As `arbiter explain` has it; null: it isn't known, or nobody answers. */
  async explain(service) {
    const path = `/v1/services/${encodeURIComponent(service)}/explain?moves=20`;
    return this.#read(path).catch(() => null);
  }
}
