/** The event log: filtered by kind, by service and by words, growing as things happen. */
import { useState } from "./hooks.js";
import { html, timeText } from "./html.js";

const MOST_SHOWN = 200;
const KINDS = [
  ["", "everything"],
  ["service.", "services"],
  ["daemon.", "daemons"],
  ["operator.", "operators"],
  ["leader.|arbiter.|map.|store.|config.", "arbiters and store"],
  ["security.", "security"],
];
const BAD = /vacant|failed|down|fencing|suspect|refused|lost|dead|held-back/u;
const GOOD = /held|adopted|recovered|elected|up$/u;

export function Events({ events, onExplain }) {
  const [kind, setKind] = useState("");
  const [words, setWords] = useState("");
  const wanted = words.toLowerCase().split(/\s+/u).filter(Boolean);
  const kinds = kind.split("|").filter(Boolean);
  const shown = [];
  for (let at = events.length - 1; at >= 0 && shown.length < MOST_SHOWN; at -= 1) {
    const event = events[at];
    const text = `${event.type} ${event.service ?? ""} ${event.daemon ?? ""} ${event.text}`.toLowerCase();
    if (kinds.length > 0 && !kinds.some((start) => event.type.startsWith(start))) continue;
    if (wanted.every((word) => text.includes(word))) shown.push(event);
  }
  return html`<section id="events" aria-labelledby="events-title">
    <h2 id="events-title">Events</h2>
    <p class="filters">
      <label
        >kind
        <select onChange=${(event) => setKind(event.target.value)}>
          ${KINDS.map(([value, name]) => html`<option value=${value}>${name}</option>`)}
        </select></label
      >
      <label
        >words
        <input type="search" placeholder="web-1 lease" onInput=${(event) => setWords(event.target.value)}
      /></label>
      <span class="quiet" role="status">${shown.length} shown</span>
    </p>
    <div class="scroll log" tabindex="0" role="region" aria-label="Events, newest first">
      <ol class="events" reversed>
        ${shown.map(
          (event) =>
            html`<li key=${event.seq}>
              <span class="quiet">${event.seq}</span>
              <time>${timeText(event.atWallMs)}</time>
              <span class=${`kind ${toneOf(event.type)}`}>${event.type}</span>
              <span class="text">${event.text}</span>
              ${
                event.service !== undefined &&
                html`<button
                  type="button"
                  class="small"
                  onClick=${() => onExplain(event.service, event.atWallMs)}
                >
                  why<span class="hidden"> event ${event.seq}</span>
                </button>`
              }
            </li>`,
        )}
      </ol>
    </div>
  </section>`;
}

function toneOf(type) {
  if (BAD.test(type)) return "bad";
  return GOOD.test(type) ? "good" : "quiet";
}
