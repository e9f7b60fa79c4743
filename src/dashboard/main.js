/**
 * The dashboard: what is wrong first, then services, daemons, the day's moves and the event log.
 * What is looked at (the filter) stands in the address, so that it can be sent to somebody else.
 */
import { useEffect, useRef, useState } from "./hooks.js";
import { render } from "./preact.js";
import { Cluster } from "./cluster.js";
import { ExplainDialog, OperateDialog, TokenDialog } from "./dialogs.js";
import { Events } from "./events.js";
import { durationText, html, toneOf } from "./html.js";
import { Daemons, Services } from "./tables.js";
import { Timeline } from "./timeline.js";

/** Problems that only tell of something that somebody wanted. */
const NOTED = new Set(["paused"]);

const cluster = new Cluster();

function useCluster() {
  const [, again] = useState(0);
  useEffect(() => {
    const look = () => again((count) => count + 1);
    // What has happened since it was drawn: nobody listened yet.
    look();
    return cluster.listen(look);
  }, []);
  return cluster;
}

function Page() {
  const { overview, isLocked, moves, events, silentSince, notice, cameFrom } = useCluster();
  const [open, setOpen] = useState(null);
  const filter = useRef(null);
  useEffect(() => {
    const press = (event) => {
      if (event.key !== "/" || event.target.matches("input, select, textarea")) return;
      event.preventDefault();
      filter.current?.focus();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  // After the token, what it was asked for.
  const close = () => setOpen((was) => was?.next ?? null);
  const explain = (service, atWallMs) => setOpen({ kind: "explain", service, atWallMs });
  const operate = (subject) => setOpen({ kind: "operate", subject });
  const token = (next = null) => setOpen({ kind: "token", next });
  if (isLocked && open === null) return html`<${Locked} cameFrom=${cameFrom} onToken=${() => token()} />`;
  return html`
    <a class="skip" href="#problems">Skip to what is wrong</a>
    ${
      overview !== null &&
      html`
        <${Head}
          overview=${overview}
          onOperate=${() => operate({ kind: "cluster", overview })}
          onToken=${() => token()}
        />
        ${
          cameFrom !== null &&
          html`<${CameFrom}
            before=${cameFrom.name}
            name=${overview.name}
            hadToken=${cameFrom.hadToken}
            onToken=${() => token()}
          />`
        }
        <p class="hidden" role="status">${spoken(overview)}</p>
        ${
          silentSince !== null &&
          html`<p class="silent" role="alert">
            ${notice || `This arbiter hasn't answered for ${durationText(Date.now() - silentSince)}. What is shown is old.`}
          </p>`
        }
        <${Sections} ...${{ overview, moves, events, filter, explain, operate }} />
      `
    }
    ${open?.kind === "token" && html`<${TokenDialog} cluster=${cluster} onClose=${close} />`}
    ${
      open?.kind === "operate" &&
      html`<${OperateDialog}
        subject=${open.subject}
        cluster=${cluster}
        onClose=${close}
        onToken=${() => token({ kind: "operate", subject: open.subject })}
      />`
    }
    ${open?.kind === "explain" && html`<${ExplainDialog} cluster=${cluster} ...${open} onClose=${close} />`}
  `;
}

function Sections({ overview, moves, events, filter, explain, operate }) {
  return html`<main>
    <${Problems} overview=${overview} />
    <section id="services" aria-labelledby="services-title">
      <div class="titled">
        <h2 id="services-title">Services <${Count} part=${overview.services} /></h2>
        <label class="filter"
          >filter
          <input
            ref=${filter}
            type="search"
            value=${cluster.view.filter}
            placeholder="name, type, realm, state ( / )"
            onInput=${(event) => setFilter(event.target.value)}
        /></label>
      </div>
      <${Services}
        part=${overview.services}
        onOffset=${(services) => cluster.look({ services })}
        onOperate=${operate}
        onExplain=${explain}
      />
    </section>
    <section id="daemons" aria-labelledby="daemons-title">
      <h2 id="daemons-title">Daemons <${Count} part=${overview.daemons} /></h2>
      <${Daemons}
        part=${overview.daemons}
        onOffset=${(daemons) => cluster.look({ daemons })}
        onOperate=${operate}
      />
    </section>
    <${Arbiters} overview=${overview} />
    <${Timeline} moves=${moves} onExplain=${explain} />
    <${Events} events=${events} onExplain=${explain} />
  </main>`;
}

/** This page follows that of another arbiter, which doesn't answer any more. */
function CameFrom({ before, name, hadToken, onToken }) {
  return html`<p class="arrived" role="alert">
    ${before} doesn't answer; you go on at ${name}.
    ${
      hadToken &&
      html` To operate, give the token again: a page keeps it for its own address alone.
        <button type="button" class="main small" onClick=${onToken}>Give the token …</button>`
    }
  </p>`;
}

function Locked({ cameFrom, onToken }) {
  return html`<main class="first">
    <h1>Arbiter</h1>
    ${
      cameFrom !== null &&
      html`<p role="alert">
        ${cameFrom.name} doesn't answer; you go on at another arbiter. A page keeps the token for its own
        address alone, so it is asked for again.
      </p>`
    }
    <p>This arbiter shows its cluster to whoever has the token.</p>
    <p><button type="button" class="main" onClick=${onToken}>Give the token …</button></p>
  </main>`;
}

/** For those who hear the page: what changed, in a sentence. */
function spoken({ problems, problemCount }) {
  const [worst] = problems;
  return worst === undefined ? "All well." : `${problemCount} problems. ${worst.text}`;
}

function Head({ overview, onOperate, onToken }) {
  const { cluster: name, leader, term, version, config, problems, name: answeredBy } = overview;
  const serious = problems.filter(({ code }) => !NOTED.has(code)).length;
  useEffect(() => {
    document.title = `${serious === 0 ? "✓" : `(${serious})`} ${name}`;
  }, [serious, name]);
  return html`<header>
    <h1>${name}</h1>
    <p class=${`verdict ${serious === 0 ? "good" : "bad"}`}>
      ${serious === 0 ? "all well" : `${serious} ${serious === 1 ? "problem" : "problems"}`}
    </p>
    <p class="facts">
      ${leader === null ? "no arbiter leads" : `${leader} leads, term ${term}`} · map ${version} ·
      configuration ${config.version} · answered by ${answeredBy}
    </p>
    <nav aria-label="Page">
      <a href="#services">services</a> <a href="#daemons">daemons</a> <a href="#moves">moves</a>
      <a href="#events">events</a>
      <button type="button" class="small" onClick=${onOperate}>operate …</button>
      <button type="button" class="small" onClick=${onToken}>token …</button>
    </nav>
  </header>`;
}

function Problems({ overview }) {
  const { problems, problemCount } = overview;
  return html`<section id="problems" aria-labelledby="problems-title" tabindex="-1">
    <h2 id="problems-title" class=${problems.length === 0 ? "hidden" : ""}>What is wrong</h2>
    ${problems.length === 0 && html`<p class="hidden">Nothing.</p>`}
    <ul class="problems">
      ${problems.map(
        ({ code, subject, text, next }) =>
          html`<li key=${`${code} ${subject}`} class=${NOTED.has(code) ? "wary" : "bad"}>
            <p><strong>${code}</strong> ${text}</p>
            <p class="next">→ ${next}</p>
          </li>`,
      )}
    </ul>
    ${problemCount > problems.length && html`<p>… and ${problemCount - problems.length} more.</p>`}
  </section>`;
}

function Count({ part }) {
  const { total, unwell, matching } = part;
  const found = matching === total ? "" : `, ${matching} match`;
  return html`<span class="count">${total}${unwell === 0 ? "" : `, ${unwell} not well`}${found}</span>`;
}

function Arbiters({ overview }) {
  return html`<section aria-labelledby="arbiters-title">
    <h2 id="arbiters-title">Arbiters</h2>
    <ul class="arbiters">
      ${overview.arbiters.map(
        ({ name, state, role, url }) =>
          html`<li key=${name}>
            <span class=${`badge ${toneOf(state)}`}>${state}</span> <a href=${url}>${name}</a>
            <span class="quiet"> ${role}</span>
          </li>`,
      )}
    </ul>
  </section>`;
}

function setFilter(text) {
  const hash = new URLSearchParams({ filter: text });
  history.replaceState(null, "", text === "" ? location.pathname : `#${hash}`);
  cluster.look({ filter: text, services: 0, daemons: 0 });
}

const parameters = new URLSearchParams(location.hash.slice(1));
cluster.arrive(parameters);
const given = parameters.get("filter");
if (given !== null) cluster.view.filter = given;
render(html`<${Page} />`, document.querySelector("#page"));
document.querySelector("#page > .first")?.remove();
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void cluster.refresh();
});
void cluster.start();
