/**
 * The last day's moves: a lane for each service that has moved, a bar for each holder, a gap where
 * nobody held it; and the same as a list, newest first, each with its why.
 */
import { useState } from "./hooks.js";
import { agoText, durationText, gapText, html, timeText } from "./html.js";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MOST_LANES = 24;
const MOST_MOVES = 50;
const COLOURS = 6;

/** Who held each service from when to when; `holder` null: nobody. */
export function spansOf(moves, fromMs, toMs) {
  const lanes = new Map();
  for (const { type, service, daemon, epoch, atWallMs } of moves) {
    const spans = lanes.get(service) ?? [];
    lanes.set(service, spans);
    const last = spans.at(-1);
    if (type === "service.held" || type === "service.adopted") {
      if (last?.holder === daemon && last.epoch === epoch) continue;
      if (last !== undefined) last.toMs = atWallMs;
      spans.push({ holder: daemon, epoch, fromMs: atWallMs, toMs });
    } else if (type === "service.vacant") {
      // Before the first thing known of it, the one that lost it had it.
      if (last === undefined && daemon !== undefined)
        spans.push({ holder: daemon, epoch, fromMs, toMs: atWallMs });
      if (last?.holder === null) continue;
      const open = spans.at(-1);
      if (open !== undefined) open.toMs = atWallMs;
      spans.push({ holder: null, epoch, fromMs: atWallMs, toMs });
    }
  }
  return lanes;
}

/** Newest first: from whom to whom, when, with what gap. */
export function movesOf(moves) {
  const holders = new Map();
  const found = [];
  for (const event of moves) {
    if (event.type !== "service.held" && event.type !== "service.adopted") continue;
    const before = holders.get(event.service);
    holders.set(event.service, event);
    if (before?.daemon === event.daemon && before?.epoch === event.epoch) continue;
    found.push({ ...event, from: before?.daemon ?? null });
  }
  return found.toReversed();
}

function colourOf(name) {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  return sum % COLOURS;
}

export function Timeline({ moves, onExplain }) {
  const [lengthMs, setLength] = useState(DAY_MS);
  const toMs = Date.now();
  const fromMs = toMs - lengthMs;
  const lanes = [...spansOf(moves, fromMs, toMs)]
    .map(([service, spans]) => ({ service, spans }))
    .filter(({ spans }) => spans.some((span) => span.toMs > fromMs))
    .toSorted((a, b) => b.spans.at(-1).fromMs - a.spans.at(-1).fromMs);
  const list = movesOf(moves);
  return html`<section id="moves" aria-labelledby="moves-title">
    <div class="titled">
      <h2 id="moves-title">The last day's moves</h2>
      <label
        >shown
        <select onChange=${(event) => setLength(Number(event.target.value))}>
          <option value=${DAY_MS}>24 hours</option>
          <option value=${HOUR_MS}>an hour</option>
        </select></label
      >
    </div>
    ${lanes.length === 0 && html`<p class="quiet">Nothing has moved.</p>`}
    ${
      lanes.length > 0 &&
      html`<div class="lanes" aria-hidden="true">
        ${lanes.slice(0, MOST_LANES).map((lane) => html`<${Lane} key=${lane.service} ...${lane} fromMs=${fromMs} lengthMs=${lengthMs} />`)}
        <div class="lane hours"><span></span><span class="track">${marksOf(fromMs, lengthMs)}</span></div>
      </div>`
    }
    ${
      lanes.length > MOST_LANES &&
      html`<p class="quiet">
        … and ${lanes.length - MOST_LANES} more services; those that moved last are shown.
      </p>`
    }
    <${MoveList} list=${list} onExplain=${onExplain} />
  </section>`;
}

function Lane({ service, spans: all, fromMs, lengthMs }) {
  const spans = all.filter((span) => span.toMs > fromMs);
  return html`<div class="lane">
    <span class="lane-name" title=${service}>${service}</span>
    <span class="track">
      ${spans.map(({ holder, epoch, fromMs: beganMs, toMs }) => {
        const left = Math.max(0, ((beganMs - fromMs) / lengthMs) * 100);
        const width = Math.min(100 - left, ((toMs - Math.max(beganMs, fromMs)) / lengthMs) * 100);
        const text = `${holder ?? "nobody"}, epoch ${epoch}, for ${durationText(toMs - beganMs)} from ${timeText(beganMs)}`;
        return html`<span
          class=${holder === null ? "span gap" : `span colour-${colourOf(holder)}`}
          style=${{ left: `${left}%`, width: `max(2px, ${width}%)` }}
          title=${text}
          >${width > 8 && holder}</span
        >`;
      })}
    </span>
  </div>`;
}

/** Every four hours of a day, every ten minutes of an hour, on the clock. */
function marksOf(fromMs, lengthMs) {
  const everyMs = lengthMs === DAY_MS ? 4 * HOUR_MS : HOUR_MS / 6;
  const zoneMs = new Date(fromMs).getTimezoneOffset() * 60_000;
  const first = Math.ceil((fromMs - zoneMs) / everyMs) * everyMs + zoneMs;
  const marks = [];
  for (let atMs = first; atMs < fromMs + 0.96 * lengthMs; atMs += everyMs) {
    const left = ((atMs - fromMs) / lengthMs) * 100;
    const time = new Date(atMs);
    const text = `${String(time.getHours()).padStart(2, "0")}:${String(time.getMinutes()).padStart(2, "0")}`;
    marks.push(html`<span class="hour" style=${{ left: `${left}%` }}>${text}</span>`);
  }
  return marks;
}

function MoveList({ list, onExplain }) {
  if (list.length === 0) return null;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Moves, newest first">
    <table class="plain">
      <caption class="hidden">
        Moves of the last day, newest first
      </caption>
      <thead>
        <tr>
          <th scope="col">when</th>
          <th scope="col">service</th>
          <th scope="col">from</th>
          <th scope="col">to</th>
          <th scope="col">epoch</th>
          <th scope="col">gap</th>
          <th scope="col"><span class="hidden">why</span></th>
        </tr>
      </thead>
      <tbody>
        ${list.slice(0, MOST_MOVES).map(
          (move) =>
            html`<tr key=${move.seq}>
              <td>
                <time title=${`${agoText(new Date(move.atWallMs).toISOString())} ago`}
                  >${timeText(move.atWallMs)}</time
                >
              </td>
              <td>${move.service}</td>
              <td>${move.from ?? "–"}</td>
              <td>${move.daemon}</td>
              <td>${move.epoch}</td>
              <td>${gapText(move.evidence)}</td>
              <td>
                <button type="button" class="small" onClick=${() => onExplain(move.service, move.atWallMs)}>
                  why<span class="hidden"> ${move.service} moved to ${move.daemon}</span>
                </button>
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
