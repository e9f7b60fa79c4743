/**
 * Services and daemons: as many rows as the screen shows are asked for and drawn, whatever there are
 * in all. A row has a fixed height, so that the scroll bar says where one is among ten thousand.
 */
import { useEffect, useRef, useState } from "./hooks.js";
import { agoText, durationText, html, toneOf } from "./html.js";

const ROW_PX = 44;
/** On a phone a row has two lines. */
const PHONE_ROW_PX = 76;
/** Rows drawn above and below what is seen. */
const AROUND = 15;
const PHONE = matchMedia("(max-width: 46rem)");

function useRowHeight() {
  const [isPhone, setPhone] = useState(PHONE.matches);
  useEffect(() => {
    const look = () => setPhone(PHONE.matches);
    PHONE.addEventListener("change", look);
    return () => PHONE.removeEventListener("change", look);
  }, []);
  return isPhone ? PHONE_ROW_PX : ROW_PX;
}

/** `part` of the overview; `onOffset` asks for other rows. */
function Rows({ name, columns, part, render, onOffset, className }) {
  const box = useRef(null);
  const height = useRowHeight();
  const scrolled = () => {
    const first = Math.floor(box.current.scrollTop / height);
    const seen = Math.ceil(box.current.clientHeight / height);
    const isCovered = first >= part.offset && first + seen <= part.offset + part.rows.length;
    const wanted = Math.max(0, first - AROUND);
    if (!isCovered || Math.abs(wanted - part.offset) > AROUND) onOffset(wanted);
  };
  useEffect(() => {
    const node = box.current;
    const keys = { Home: () => (node.scrollTop = 0), End: () => (node.scrollTop = node.scrollHeight) };
    const press = (event) => event.target === node && keys[event.key]?.();
    node.addEventListener("keydown", press);
    return () => node.removeEventListener("keydown", press);
  }, []);
  return html`<div
    class="window"
    ref=${box}
    tabindex="0"
    role="region"
    aria-label=${`${name}, ${part.matching} rows`}
    onScroll=${scrolled}
  >
    <div role="table" aria-label=${name} aria-rowcount=${part.matching + 1} class=${className}>
      <div role="row" aria-rowindex="1" class="row head">
        ${columns.map((column) => html`<span role="columnheader" class=${`c-${column.replaceAll(" ", "-")}`}>${column}</span>`)}
      </div>
      <div role="rowgroup" class="rows" style=${{ height: `${part.matching * height}px` }}>
        ${part.rows.map(
          (row, at) =>
            html`<div
              role="row"
              key=${row.name}
              aria-rowindex=${part.offset + at + 2}
              class="row"
              style=${{ top: `${(part.offset + at) * height}px`, height: `${height}px` }}
            >
              ${render(row)}
            </div>`,
        )}
      </div>
    </div>
  </div>`;
}

function Cell({ of, children, tone = "" }) {
  return html`<span role="cell" class=${`c-${of} ${tone}`}>${children}</span>`;
}

export function Services({ part, onOffset, onOperate, onExplain }) {
  const render = (service) => html`
    <${Cell} of="name"><strong>${service.name}</strong><//>
    <${Cell} of="holder" tone=${service.holder === null ? "bad" : ""}>${service.holder ?? "nobody"}<//>
    <${Cell} of="phase"><${Badge} state=${service.phase} paused=${service.pause} /><//>
    <${Cell} of="epoch"><span class="label">epoch </span>${service.epoch}<//>
    <${Cell} of="for"><span class="label">for </span>${agoText(service.since)}<//>
    <${Cell} of="lease"
      >${service.leaseRemainingMs === null ? "–" : html`<span class="label">lease </span>${durationText(service.leaseRemainingMs)}`}<//
    >
    <${Cell} of="candidates"><${Candidates} service=${service} /><//>
    <${Cell} of="do">
      <button type="button" class="small" onClick=${() => onExplain(service.name, null)}>
        why<span class="hidden"> ${service.name} is where it is</span>
      </button>
      <button type="button" class="small" onClick=${() => onOperate({ kind: "service", service })}>
        operate<span class="hidden"> ${service.name}</span>
      </button>
    <//>
  `;
  const columns = ["name", "holder", "phase", "epoch", "for", "lease", "candidates", "do"];
  return html`<${Rows}
    name="Services"
    className="services"
    columns=${columns}
    part=${part}
    render=${render}
    onOffset=${onOffset}
  />`;
}

function Badge({ state, paused = null }) {
  return html`<span class=${`badge ${toneOf(state)}`}>${state}</span>${
      paused !== null &&
      html` <span
        class="badge wary"
        title=${`${paused.reason} (by ${paused.by}, ${paused.until === null ? "until resumed" : `until ${paused.until}`})`}
        >paused</span
      >`
    }`;
}

function Candidates({ service }) {
  return service.candidates.map(
    ({ name, role, state }) =>
      html`<span class=${`dot ${toneOf(state)}`} title=${`${name}, ${role}, ${state}`}></span
        ><span class="candidate">${name}</span> `,
  );
}

export function Daemons({ part, onOffset, onOperate }) {
  const render = (daemon) => html`
    <${Cell} of="name"><strong>${daemon.name}</strong><//>
    <${Cell} of="state">
      <${Badge} state=${daemon.state} />
      ${!daemon.healthy && !["unreachable", "unknown"].includes(daemon.state) && html` <span class="badge bad">unhealthy</span>`}
      ${daemon.missing?.length > 0 && html` <span class="badge wary" title=${daemon.missing.join("; ")}>not ready</span>`}
      ${daemon.maintenance !== null && html` <span class="badge wary" title=${`${daemon.maintenance.reason} (by ${daemon.maintenance.by})`}>maintenance</span>`}
    <//>
    <${Cell} of="holds">${daemon.services.join(", ") || "–"}<//>
    <${Cell} of="role">${daemon.role}<//>
    <${Cell} of="checked"><span class="label">checked </span>${agoText(daemon.lastSeen)}<//>
    <${Cell} of="latency"><${Spark} values=${daemon.latencies} now=${daemon.latencyMs} /><//>
    <${Cell} of="config">${{ true: "differs", false: "same" }[String(daemon.hasDrifted)] ?? "–"}<//>
    <${Cell} of="drilled" tone=${daemon.lastDrill?.passed === false ? "bad" : ""}>${drillText(daemon)}<//>
    <${Cell} of="do">
      <button type="button" class="small" onClick=${() => onOperate({ kind: "daemon", daemon })}>
        operate<span class="hidden"> ${daemon.name}</span>
      </button>
    <//>
  `;
  const columns = ["name", "state", "holds", "role", "checked", "latency", "config", "drilled", "do"];
  return html`<${Rows}
    name="Daemons"
    className="daemons"
    columns=${columns}
    part=${part}
    render=${render}
    onOffset=${onOffset}
  />`;
}

/** When a drill last tried it, and whether that was good. */
function drillText({ lastDrill }) {
  const label = html`<span class="label">drilled </span>`;
  if (lastDrill === null) return html`${label}never`;
  return html`${label}<span title=${lastDrill.because ?? `a drill of ${lastDrill.service}`}
      >${lastDrill.passed ? "" : "failed "}${agoText(lastDrill.at)} ago</span
    >`;
}

const SPARK = { width: 90, height: 22 };

/** The slowest check of each of the last sixty seconds; a pause is a gap in the line. */
function Spark({ values, now }) {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return now === null ? "–" : `${now.toFixed(1)} ms`;
  const most = Math.max(...known, 1);
  const step = SPARK.width / Math.max(1, values.length - 1);
  let path = "";
  let isOpen = false;
  for (const [at, value] of values.entries()) {
    if (value !== null) {
      const y = SPARK.height - 1 - (value / most) * (SPARK.height - 2);
      path += `${isOpen ? "L" : "M"}${(at * step).toFixed(1)} ${y.toFixed(1)}`;
    }
    isOpen = value !== null;
  }
  const last = known.at(-1);
  const text = `check latency of the last minute: now ${last.toFixed(1)} ms, at most ${most.toFixed(1)} ms`;
  return html`<svg
      class="spark"
      role="img"
      aria-label=${text}
      width=${SPARK.width}
      height=${SPARK.height}
      viewBox=${`0 0 ${SPARK.width} ${SPARK.height}`}
    >
      <title>${text}</title>
      <path d=${path} /></svg
    ><span aria-hidden="true"> ${last.toFixed(1)} ms</span>`;
}
