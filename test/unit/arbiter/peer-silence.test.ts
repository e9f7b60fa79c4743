/** Another arbiter that doesn't answer: said once, after a while, and taken back once. */
import { expect, it } from "vitest";
import { PeerSilence, SILENT_TIMES } from "../../../src/arbiter/sync/peer-silence.ts";
import { statusOf } from "../../../src/arbiter/status.ts";
import { ClusterRig } from "../core/arbiter-rig.ts";

function missed(silence: PeerSilence, name: string, times: number): void {
  for (let time = 0; time < times; time += 1) silence.note(name, false);
}

it("a restart is no news; a longer silence is, once, and so is its end", () => {
  const silence = new PeerSilence();
  missed(silence, "b", SILENT_TIMES - 1);
  expect([silence.silent, silence.news("a")]).toEqual([[], []]);
  silence.note("b", true);
  missed(silence, "b", SILENT_TIMES);
  expect(silence.silent).toEqual(["b"]);
  expect(silence.news("a").map(({ type }) => type)).toEqual(["arbiter.down"]);
  missed(silence, "b", 3);
  expect(silence.news("a")).toEqual([]);
  silence.note("b", true);
  expect(silence.news("a").map(({ type, arbiter }) => [type, arbiter])).toEqual([["arbiter.up", "b"]]);
  expect(silence.news("a")).toEqual([]);
});

it("whoever left the configuration isn't missed", () => {
  const silence = new PeerSilence();
  missed(silence, "b", SILENT_TIMES);
  silence.news("a");
  silence.keep(new Set(["c"]));
  expect([silence.silent, silence.news("a")]).toEqual([[], []]);
});

it("the status shows it as unreachable, and says what to do", () => {
  const { state, nowMs } = new ClusterRig().start().advance(600);
  const around = { nowMs, wallMs: nowMs + 1e12, undelivered: 0, drift: [] };
  const [known] = state.model.arbiters;
  const { arbiters, problems } = statusOf(state, { ...around, silent: [known?.name ?? ""] });
  expect(arbiters[0]?.state).toBe("unreachable");
  expect(problems).toMatchObject([{ code: "arbiter-down", subject: known?.name }]);
  expect(statusOf(state, around).problems).toEqual([]);
});
