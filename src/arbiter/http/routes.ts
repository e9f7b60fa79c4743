/** The table of routes: everything that an arbiter answers over HTTP, and nothing else. */
import { sendJson } from "../../protocol/problem.ts";
import type { Route } from "./api.ts";
import { config, configHistory, configKeys, rollback, ROLLBACK_BODY } from "./configuration-routes.ts";
import { daemons, join, JOIN_BODY, leave, LEAVE_BODY } from "./daemons.ts";
import { TEST_BODY, testAlerts } from "./alerts.ts";
import { discovery } from "./discovery.ts";
import { eventStream } from "./event-stream.ts";
import { events, FILTER_QUERY } from "./events.ts";
import { openapi } from "./openapi.ts";
import {
  claim,
  drill,
  DRILL_BODY,
  later,
  LEADER_BODY,
  maintenance,
  MAINTENANCE_BODY,
  move,
  MOVE_BODY,
  pause,
  PAUSE_BODY,
  reload,
  resume,
  RESUME_BODY,
  transfer,
} from "./operations.ts";
import { explain } from "./explain.ts";
import { sentMap } from "./sent-map.ts";
import { arbiterPromise, opinion } from "./other-arbiters.ts";
import { page, pageFile } from "./dashboard.ts";
import { publish, PUBLISH_BODY } from "./publish.ts";
import { healthz, leader, map, metrics, overview, peerList, service, services, status } from "./reads.ts";

/** Of the HTTP contract; it rises with each addition. */
export const API_VERSION = "1.0.0";

/** Of this arbiter itself. */
const own = { method: "get", access: "read", isLeaders: false } as const;
const read = { method: "get", access: "read", isLeaders: true } as const;
const change = { method: "post", access: "change", isLeaders: true } as const;
const accepted = {
  202: "Accepted, with the number of the event that records it",
  404: "No such service or daemon",
  409: "Not possible now; the answer says why",
  503: "This arbiter stands by, or the store is away",
} as const;

function moving(verb: "switchover" | "failover" | "failback", summary: string): Route {
  const path = `/v1/services/{service}/${verb}`;
  return { ...change, path, summary, body: MOVE_BODY, answers: accepted, serve: move(verb) };
}

export const ROUTES: readonly Route[] = [
  {
    ...own,
    access: "open",
    path: "/healthz",
    summary: "Whether it runs",
    answers: { 200: "It runs" },
    serve: healthz,
  },
  {
    ...own,
    access: "open",
    path: "/leader",
    summary: "Whether it leads",
    answers: { 200: "It leads", 503: "It stands by" },
    serve: leader,
  },
  {
    ...read,
    path: "/v1/status",
    summary: "Everything that `arbiter status` shows",
    answers: { 200: "The status" },
    serve: status,
  },
  {
    ...read,
    path: "/v1/overview",
    summary: "A screen of the status: counts, problems, and some rows, those that need a look first",
    query: {
      services: "First row of services (default 0)",
      daemons: "First row of daemons (default 0)",
      limit: "Rows of each (default 50, most 500)",
      filter: { type: "string", description: "Part of a name, type, realm, state or holder" },
    },
    answers: { 200: "The overview" },
    serve: overview,
  },
  {
    ...read,
    path: "/v1/map",
    summary: "The cluster map",
    answers: { 200: "The map", 304: "It has not changed", 503: "It has not seen the map yet" },
    serve: map,
  },
  {
    ...read,
    path: "/v1/services",
    summary: "All services with their holders",
    answers: { 200: "The services", 503: "It has not seen the map yet" },
    serve: services,
  },
  {
    ...read,
    path: "/v1/services/{service}",
    summary: "Who holds a service, and where it answers",
    answers: { 200: "Its holder", 404: "No such service", 503: "Nobody holds it" },
    serve: service,
  },
  {
    ...read,
    path: "/v1/services/{service}/explain",
    summary:
      "Why a service is where it is: how it stands, why nothing moves, and its last moves step by step",
    query: { moves: "At most so many moves (default 5, most 50)" },
    answers: { 200: "The explanation", 404: "No such service" },
    serve: explain,
  },
  {
    ...read,
    path: "/v1/peers",
    summary: "Arbiters and daemons",
    answers: { 200: "The peers" },
    serve: peerList,
  },
  {
    ...own,
    path: "/v1/events",
    summary: "The event log, oldest first; without `after`, its end",
    query: {
      after: "Only events with a higher number",
      limit: "At most so many (default 100, most 1000)",
      ...FILTER_QUERY,
    },
    answers: { 200: "Events, the last number of the log, and `next`: where to go on from" },
    serve: events,
  },
  {
    ...own,
    path: "/v1/events/stream",
    summary: "The event log as server-sent events; `Last-Event-ID` continues without loss",
    query: { after: "Begin after this number (default: with what happens next)", ...FILTER_QUERY },
    headers: { "Last-Event-ID": "Number of the last event that was got: goes before `after`" },
    produces: "text/event-stream",
    answers: { 200: "The stream" },
    serve: eventStream,
  },
  {
    ...read,
    path: "/v1/daemons",
    summary: "Each daemon, and whether it stands in a file or has joined",
    answers: { 200: "The daemons" },
    serve: daemons,
  },
  {
    ...own,
    path: "/v1/config",
    summary: "Version, hash and files of the configuration in force, and of this arbiter's own folder",
    query: { files: "`0`: without the lists of files" },
    answers: { 200: "The manifest" },
    serve: config,
  },
  {
    ...own,
    access: "change",
    path: "/v1/config/keys",
    summary: "Every key that this arbiter's files say, read anew, without secrets",
    answers: { 200: "The keys, or the errors" },
    serve: configKeys,
  },
  {
    ...own,
    path: "/v1/config/history",
    summary: "Versions of the configuration, newest first",
    query: { limit: "At most so many (default 20, most 200)" },
    answers: { 200: "The versions" },
    serve: configHistory,
  },
  {
    ...change,
    path: "/v1/config/rollback",
    summary: "Puts an older version of the configuration in force again, as a new one",
    body: ROLLBACK_BODY,
    answers: {
      200: "In force, with what changed",
      404: "No such version",
      422: "It can't be used here any more",
      503: "This arbiter stands by, or the store is away",
    },
    serve: rollback,
  },
  {
    ...read,
    path: "/v1/sd",
    summary: "Arbiters and daemons as targets for Prometheus' HTTP service discovery",
    query: { type: "Only this type, e.g. `scheduler` or `arbiter`" },
    answers: { 200: "Target groups" },
    serve: discovery,
  },
  {
    ...own,
    path: "/metrics",
    summary: "Metrics for Prometheus",
    produces: "text/plain",
    answers: { 200: "Metrics" },
    serve: metrics,
  },
  {
    ...own,
    access: "open",
    path: "/",
    summary: "The dashboard: a page that asks for the rest",
    produces: "text/html",
    answers: { 200: "A page", 304: "It has not changed" },
    serve: page,
  },
  {
    ...own,
    access: "open",
    path: "/dashboard/{file}",
    summary: "The dashboard's scripts and style",
    produces: "text/javascript",
    answers: { 200: "A file", 304: "It has not changed", 404: "No such file" },
    serve: pageFile,
  },
  {
    ...own,
    access: "open",
    path: "/openapi.json",
    summary: "This contract",
    answers: { 200: "OpenAPI 3.1" },
    serve: (_api, _request, response) => {
      sendJson(response, 200, openapi(ROUTES, API_VERSION));
    },
  },
  {
    ...change,
    path: "/v1/events",
    summary: "Publishes a program's own event: it is in the log once it is answered",
    body: PUBLISH_BODY,
    headers: { "Idempotency-Key": "The log holds it once, however often it is sent" },
    answers: {
      200: "It was in the log already",
      201: "It is in the log, under this number",
      413: "The value is too large",
      422: "The key stands for another event",
      429: "Too many at once",
      503: "It may be in the log, or nobody can take it now: send it again",
    },
    serve: publish,
  },
  {
    ...change,
    path: "/v1/alerts/test",
    summary: "Sends a test to every target of the alerts",
    body: TEST_BODY,
    answers: { 200: "What came of each", 409: "No alerts are configured" },
    serve: testAlerts,
  },
  moving("switchover", "Moves a service in good order"),
  moving("failover", "Takes a service from a daemon that has failed"),
  moving("failback", "Moves a service back to its master"),
  {
    ...change,
    path: "/v1/services/{service}/drill",
    summary: "Switches over to a spare and back, and measures both gaps",
    body: DRILL_BODY,
    answers: accepted,
    serve: drill,
  },
  {
    ...change,
    path: "/v1/services/{service}/pause",
    summary: "The service doesn't move by itself",
    body: PAUSE_BODY,
    answers: accepted,
    serve: pause,
  },
  {
    ...change,
    path: "/v1/services/{service}/resume",
    summary: "Ends the service's pause",
    body: RESUME_BODY,
    answers: accepted,
    serve: resume,
  },
  {
    ...change,
    path: "/v1/pause",
    summary: "Nothing moves by itself",
    body: PAUSE_BODY,
    answers: accepted,
    serve: pause,
  },
  {
    ...change,
    path: "/v1/resume",
    summary: "Ends the pause of everything",
    body: RESUME_BODY,
    answers: accepted,
    serve: resume,
  },
  {
    ...change,
    path: "/v1/daemons/{daemon}/maintenance",
    summary: "The daemon gives up what it holds and isn't chosen",
    body: MAINTENANCE_BODY,
    answers: accepted,
    serve: maintenance,
  },
  {
    ...change,
    isLeaders: false,
    path: "/v1/reload",
    summary: "Reads the files again",
    body: RESUME_BODY,
    answers: { 200: "In force, with what changed", 422: "Refused as a whole, with every error" },
    serve: reload,
  },
  {
    ...change,
    method: "put",
    isLeaders: false,
    path: "/v1/map",
    summary: "The leader sends the cluster map",
    answers: { 200: "The version that is known now" },
    serve: sentMap,
  },
  {
    ...change,
    isLeaders: false,
    path: "/v1/arbiters/promise",
    summary: "An arbiter promises not to lead",
    answers: { 200: "The answer, which may be no" },
    serve: arbiterPromise,
  },
  {
    ...change,
    path: "/v1/arbiters/opinion",
    summary: "Whether this arbiter reaches daemons that another one finds silent",
    answers: { 200: "How many of them it reaches" },
    serve: opinion,
  },
  {
    ...change,
    isLeaders: false,
    path: "/v1/leader/claim",
    summary: "The former leader is gone for good: this arbiter leads",
    body: RESUME_BODY,
    answers: { 202: "It takes the lead", 409: "Not possible now; the answer says why" },
    serve: claim,
  },
  {
    ...change,
    path: "/v1/leader",
    summary: "Hands the lead over",
    body: LEADER_BODY,
    answers: accepted,
    serve: transfer,
  },
  {
    ...change,
    path: "/v1/daemons",
    summary: "A daemon joins the running cluster; asked again with the same, nothing changes",
    body: JOIN_BODY,
    answers: {
      200: "It is there already",
      202: "It has joined",
      409: "Its name stands in a file, for another place",
      422: "It doesn't fit",
      503: "No arbiter leads, or the store is away",
    },
    serve: join,
  },
  {
    ...change,
    method: "delete",
    path: "/v1/daemons/{daemon}",
    summary: "A daemon that has joined leaves the running cluster",
    body: LEAVE_BODY,
    answers: {
      202: "It has left; what it holds is handed over first",
      404: "No such daemon",
      409: "It stands in a file, or a service that another holds would end with it",
    },
    serve: leave,
  },
  {
    ...change,
    isLeaders: false,
    path: "/v1/reports",
    summary: "A daemon's unasked report",
    answers: { 204: "Taken", 404: "No such daemon", 429: "Too many of them" },
    // Served in front of the router, see server.ts; here it stands for the contract.
    serve: later("Reports are served in front of the router."),
  },
];
