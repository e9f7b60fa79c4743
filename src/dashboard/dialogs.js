/** What opens above the page: the token, an operation with its confirmation, and why something moved. */
import { useEffect, useRef, useState } from "./hooks.js";
import { durationText, html, timeText } from "./html.js";

/** The browser's own dialog: it keeps the focus inside, and Escape closes it. */
function Dialog({ title, onClose, children }) {
  const box = useRef(null);
  useEffect(() => {
    box.current.showModal();
  }, []);
  return html`<dialog ref=${box} aria-labelledby="dialog-title" onClose=${onClose}>
    <h2 id="dialog-title">${title}</h2>
    ${children}
  </dialog>`;
}

export function TokenDialog({ cluster, onClose }) {
  const input = useRef(null);
  const take = (event) => {
    event.preventDefault();
    cluster.setToken(input.current.value.trim());
    onClose();
  };
  return html`<${Dialog} title="The cluster's token" onClose=${onClose}>
    <form onSubmit=${take}>
      <p>Whoever has it may move services. It is kept in this tab alone, and forgotten with it.</p>
      <p>
        <label>token <input ref=${input} type="password" autocomplete="off" value=${cluster.token} /></label>
      </p>
      <p class="buttons">
        <button type="submit" class="main">Use it</button>
        <button type="button" onClick=${onClose}>Cancel</button>
      </p>
    </form>
  <//>`;
}

const HOUR_MS = 3_600_000;
const PAUSES = [
  [HOUR_MS / 2, "30 minutes"],
  [2 * HOUR_MS, "2 hours"],
  [8 * HOUR_MS, "8 hours"],
  [24 * HOUR_MS, "a day"],
];

/** What can be done with it: the path, the body, and in words what will happen. */
function operationsOn(subject) {
  switch (subject.kind) {
    case "service":
      return serviceOperations(subject.service);
    case "daemon":
      return daemonOperations(subject.daemon);
    default:
      return clusterOperations(subject.overview);
  }
}

function pathOf(kind, name, verb) {
  return `/v1/${kind}/${encodeURIComponent(name)}/${verb}`;
}

function serviceOperations({ name, holder, candidates, pause }) {
  const others = candidates
    .filter((candidate) => candidate.name !== holder)
    .map((candidate) => candidate.name);
  const to = { to: ["whoever ranks first", ...others] };
  const holds = holder ?? "its holder";
  return [
    {
      title: "Switch over",
      text: `${holds} drains and says so, then another daemon is activated. Nobody holds ${name} for a moment.`,
      path: pathOf("services", name, "switchover"),
      asks: to,
    },
    {
      title: "Fail back",
      text: `${name} goes back to its master now, in good order.`,
      path: pathOf("services", name, "failback"),
    },
    {
      title: "Fail over",
      text: `${holds} isn't wanted any more: its renewals end, and ${name} moves once its lease has ended. To declare a daemon dead, use \`arbiter failover --force\`.`,
      path: pathOf("services", name, "failover"),
      asks: to,
      isDangerous: true,
    },
    pause === null || pause.all
      ? {
          title: "Pause",
          text: `${name} doesn't move by itself. Leases go on; what you order goes through.`,
          path: pathOf("services", name, "pause"),
          asks: { forMs: PAUSES, reason: true },
        }
      : { title: "Resume", text: `Ends the pause by ${pause.by}.`, path: pathOf("services", name, "resume") },
  ];
}

function daemonOperations({ name, maintenance, services }) {
  const gives = services.length === 0 ? "" : ` It gives up ${services.join(", ")}.`;
  const path = pathOf("daemons", name, "maintenance");
  return maintenance === null
    ? [
        {
          title: "Begin maintenance",
          text: `${name} isn't chosen until you end it.${gives}`,
          path,
          body: { on: true },
          asks: { reason: true },
        },
      ]
    : [{ title: "End maintenance", text: `${name} may be chosen again.`, path, body: { on: false } }];
}

function clusterOperations({ arbiters, leader }) {
  const others = arbiters
    .filter(({ name, electable }) => electable && name !== leader)
    .map(({ name }) => name);
  return [
    {
      title: "Pause everything",
      text: "Nothing moves by itself. Leases go on; what you order goes through.",
      path: "/v1/pause",
      asks: { forMs: PAUSES, reason: true },
    },
    {
      title: "Resume everything",
      text: "Ends the pause of everything, and lifts failover_budget.",
      path: "/v1/resume",
    },
    ...(others.length === 0
      ? []
      : [
          {
            title: "Hand the lead over",
            text: `${leader ?? "The leader"} stands by. Services notice nothing.`,
            path: "/v1/leader",
            asks: { to: ["whoever is next in line", ...others] },
          },
        ]),
  ];
}

export function OperateDialog({ subject, cluster, onClose, onToken }) {
  const [chosen, choose] = useState(null);
  const [said, say] = useState(null);
  const name = subject.service?.name ?? subject.daemon?.name ?? "the cluster";
  const operations = operationsOn(subject);
  const confirm = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const body = { ...chosen.body };
    if (chosen.asks?.to !== undefined && form.get("to") !== chosen.asks.to[0]) body.to = form.get("to");
    if (chosen.asks?.forMs !== undefined) body.forMs = Number(form.get("forMs"));
    if (chosen.asks?.reason === true) body.reason = form.get("reason");
    say({ text: "Asking …" });
    say(await cluster.order(chosen.path, body));
  };
  return html`<${Dialog}
    title=${chosen === null ? `Operate ${name}` : `${chosen.title}: ${name}`}
    onClose=${onClose}
  >
    ${
      chosen === null &&
      html`<ul class="choices">
          ${operations.map(
            (operation) =>
              html`<li>
                <button type="button" onClick=${() => choose(operation)}>${operation.title} …</button>
                <span>${operation.text}</span>
              </li>`,
          )}
        </ul>
        <p class="buttons"><button type="button" onClick=${onClose}>Close</button></p>`
    }
    ${
      chosen !== null &&
      html`<form onSubmit=${(event) => void confirm(event)}>
        <p>${chosen.text}</p>
        <${Asked} asks=${chosen.asks ?? {}} />
        <p role="status" class=${said === null ? "" : said.ok ? "good" : "wary"}>${said?.text}</p>
        <p class="buttons">
          ${
            said?.ok !== true &&
            html`<button type="submit" class=${chosen.isDangerous === true ? "danger" : "main"}>
              ${chosen.title}
            </button>`
          }
          ${said?.needsToken === true && html`<button type="button" onClick=${onToken}>Give the token …</button>`}
          <button type="button" onClick=${onClose}>${said?.ok === true ? "Close" : "Cancel"}</button>
        </p>
      </form>`
    }
  <//>`;
}

function Asked({ asks }) {
  return html`
    ${
      asks.to !== undefined &&
      html`<p>
        <label
          >to
          <select name="to">
            ${asks.to.map((name) => html`<option>${name}</option>`)}
          </select></label
        >
      </p>`
    }
    ${
      asks.forMs !== undefined &&
      html`<p>
        <label
          >for
          <select name="forMs">
            ${asks.forMs.map(([ms, text]) => html`<option value=${ms}>${text}</option>`)}
          </select></label
        >
      </p>`
    }
    ${
      asks.reason === true &&
      html`<p>
        <label
          >reason, shown to everyone <input name="reason" required maxlength="1000" autocomplete="off"
        /></label>
      </p>`
    }
  `;
}

/** How a service stands, why nothing moves, and its last moves step by step; `atWallMs`: the one that is meant. */
export function ExplainDialog({ cluster, service, atWallMs, onClose }) {
  const [told, tell] = useState(null);
  useEffect(() => {
    void cluster
      .explain(service)
      .then((answer) => tell(answer ?? { text: "The arbiter can't tell.", why: [], moves: [] }));
  }, [service]);
  return html`<${Dialog} title=${`Why: ${service}`} onClose=${onClose}>
    ${told === null && html`<p>Asking …</p>`}
    ${
      told !== null &&
      html`<p>${told.text}</p>
        <ul>
          ${told.why.map((reason) => html`<li>${reason}</li>`)}
        </ul>
        ${told.moves.map(
          (move, at) =>
            html`<${ExplainedMove}
              key=${move.began}
              move=${move}
              isOpen=${isMeant(told.moves, at, atWallMs)}
            />`,
        )}
        <p class="quiet"><code>arbiter explain ${service}</code> tells the same in a terminal.</p>`
    }
    <p class="buttons"><button type="button" onClick=${onClose}>Close</button></p>
  <//>`;
}

/** The move in which that moment lies; else the newest one. */
function isMeant(moves, at, atWallMs) {
  if (atWallMs === null) return at === 0;
  return at === moves.findIndex(({ began }) => Date.parse(began) <= atWallMs);
}

/** What led to a move lies before it began. */
function sinceText(ms) {
  return `${ms < 0 ? "−" : "+"}${durationText(Math.abs(ms))}`;
}

function ExplainedMove({ move, isOpen }) {
  const beganMs = Date.parse(move.began);
  return html`<details open=${isOpen}>
    <summary><time>${timeText(beganMs)}</time> ${move.text}</summary>
    <ol class="why">
      ${move.steps.map(
        ({ at, text, row }) =>
          html`<li>
            <span class="quiet">${sinceText(Date.parse(at) - beganMs)}</span> ${text}
            ${row !== null && html` <span class="quiet">(row ${row})</span>`}
          </li>`,
      )}
    </ol>
  </details>`;
}
