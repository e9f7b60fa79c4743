import { describe, expect, test } from "vitest";
import { StepQueue } from "../../../src/shell/queue.ts";

const nothing = (): void => {};

describe("the queue", () => {
  test("an idle queue takes the event on the caller's stack", () => {
    const log: string[] = [];
    const queue = new StepQueue<string, string>({
      step: (event) => [`${event}1`, `${event}2`],
      perform: (effect) => log.push(effect),
      onFatal: (error) => {
        throw error;
      },
    });
    queue.push("a");
    expect(log).toEqual(["a1", "a2"]);
  });

  test("what an effect pushes waits until the effects before it are performed, in order", () => {
    const log: string[] = [];
    const queue: StepQueue<string, string> = new StepQueue<string, string>({
      step: (event) => {
        log.push(`step ${event}`);
        return event.length < 3 ? [`${event}x`, `${event}y`] : [];
      },
      perform: (effect) => {
        log.push(`perform ${effect}`);
        queue.push(effect);
      },
      onFatal: nothing,
    });
    queue.push("a");
    expect(log).toEqual([
      "step a",
      "perform ax",
      "perform ay",
      "step ax",
      "perform axx",
      "perform axy",
      "step ay",
      "perform ayx",
      "perform ayy",
      "step axx",
      "step axy",
      "step ayx",
      "step ayy",
    ]);
    expect(queue.length).toBe(0);
  });

  test("a push during a step is queued", () => {
    const seen: number[] = [];
    const queue: StepQueue<number, never> = new StepQueue<number, never>({
      step: (event) => {
        if (event < 3) queue.push(event + 1);
        seen.push(event);
        return [];
      },
      perform: nothing,
      onFatal: nothing,
    });
    queue.push(0);
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  test("a queue that feeds itself for ever doesn't starve the loop", async () => {
    let taken = 0;
    const queue: StepQueue<number, number> = new StepQueue<number, number>({
      step: (event) => [event + 1],
      perform: (effect) => {
        taken = effect;
        queue.push(effect);
      },
      onFatal: nothing,
    });
    queue.push(0);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    queue.stop();
    expect(taken).toBeGreaterThanOrEqual(256);
    const before = taken;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    expect(taken).toBe(before);
  });

  test("what is deferred keeps its place: a later push comes behind it", () => {
    const deferred: (() => void)[] = [];
    const seen: number[] = [];
    const queue: StepQueue<number, never> = new StepQueue<number, never>({
      step: (event) => {
        seen.push(event);
        if (event === 0) for (const next of [1, 2, 3, 4]) queue.push(next);
        return [];
      },
      perform: nothing,
      onFatal: nothing,
      burst: 2,
      defer: (run) => deferred.push(run),
    });
    queue.push(0);
    expect(seen).toEqual([0, 1]);
    queue.push(5);
    expect(seen).toEqual([0, 1]);
    while (deferred.length > 0) deferred.shift()?.();
    expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test.each(["step", "perform"])("an error in %s is fatal: told once, and nothing more is taken", (where) => {
    const errors: unknown[] = [];
    const performed: string[] = [];
    const queue = new StepQueue<string, string>({
      step: (event) => {
        if (where === "step" && event === "bad") throw new Error("I1 is broken");
        return [event, `${event}2`];
      },
      perform: (effect) => {
        if (effect === "bad") throw new Error("I1 is broken");
        performed.push(effect);
      },
      onFatal: (error) => errors.push(error),
    });
    queue.push("good");
    queue.push("bad");
    queue.push("late");
    expect(performed).toEqual(["good", "good2"]);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toHaveProperty("message", "I1 is broken");
    expect(queue.stopped).toBe(true);
  });

  test("a stopped queue drops what waits, but finishes the step under way", () => {
    const performed: string[] = [];
    const queue: StepQueue<string, string> = new StepQueue<string, string>({
      step: (event) => [event, `${event}2`],
      perform: (effect) => {
        performed.push(effect);
        queue.push("more");
        queue.stop();
      },
      onFatal: nothing,
    });
    queue.push("a");
    expect(performed).toEqual(["a", "a2"]);
  });
});
