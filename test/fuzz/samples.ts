/** Messages of the protocol with every member in use, to be bent out of shape. */
import type {
  ArbiterPromiseAnswer,
  ArbiterPromiseRequest,
  Assignment,
  PromiseAnswer,
  PromiseRequest,
  Report,
} from "../../src/core/messages.ts";

export const ASSIGNMENT: Assignment = {
  protocol: 1,
  clusterId: "cluster-1",
  to: "m",
  leader: { name: "a", url: "http://a" },
  arbiters: [
    { name: "a", url: "http://a" },
    { name: "b", url: "https://[::1]:7770" },
  ],
  term: 1,
  seq: 1,
  mapVersion: 1,
  clockDrift: 0.01,
  nonce: null,
  services: [
    {
      service: "svc",
      epoch: 1,
      cleared: 0,
      bootId: "boot-m-1",
      leaseMs: 2_000,
      drain: false,
      candidates: {
        version: 1,
        list: [
          { name: "m", stateId: "state-m", url: "http://m" },
          { name: "s", stateId: "state-s", url: "http://s" },
        ],
      },
      config: { greeting: "hello", _x: "" },
    },
  ],
};

export const REPORT: Report = {
  protocol: 1,
  clusterId: "cluster-1",
  name: "m",
  stateId: "state-m",
  type: "scheduler",
  role: "master",
  bootId: "boot-m-1",
  seq: 10,
  nonce: "boot-m-1.5.tag",
  term: 1,
  state: "active",
  healthy: true,
  ready: true,
  reason: "",
  launched: false,
  configVersion: "c1",
  dataVersion: 0,
  services: [{ service: "svc", epoch: 1, state: "active", leaseRemainingMs: 1_500, candidatesVersion: 1 }],
  seenEpochs: { svc: 1 },
  promises: [{ service: "other", epoch: 1, holder: "s", forMs: 500 }],
  refusesExpiryForMs: 0,
  refusals: [{ service: "svc", epoch: 0, because: "old-epoch" }],
};

export const PROMISE_REQUEST: PromiseRequest = {
  protocol: 1,
  clusterId: "cluster-1",
  to: "s",
  toStateId: "state-s",
  round: 1,
  service: "svc",
  holder: "m",
  epoch: 1,
  forMs: 2_000,
};

export const PROMISE_ANSWER: PromiseAnswer = {
  protocol: 1,
  name: "s",
  stateId: "state-s",
  round: 1,
  service: "svc",
  epoch: 1,
  promised: true,
  because: "",
};

export const ARBITER_PROMISE_REQUEST: ArbiterPromiseRequest = {
  protocol: 1,
  clusterId: "cluster-1",
  to: "arbiter-master",
  leader: "arbiter-2",
  instance: "instance-2",
  term: 1,
  round: 1,
  forMs: 2_000,
};

export const ARBITER_PROMISE_ANSWER: ArbiterPromiseAnswer = {
  protocol: 1,
  name: "arbiter-master",
  stateId: "state-1",
  round: 1,
  term: 1,
  promised: true,
  because: "",
};
