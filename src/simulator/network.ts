/**
 * Links between machines: loss, delay up to several leases, duplication, reordering (by delay), and
 * partitions, symmetric or of one direction.
 *
 * A call is a request and an answer, each of which may be lost or late on its own. Whoever asked
 * gives up at its time-out; the request may arrive all the same. Messages are never copied: both
 * cores treat them as read-only.
 */
import type { Process } from "./machine.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

export interface NetworkOptions {
  readonly leastDelayMs: number;
  readonly jitterMs: number;
  readonly lossProbability: number;
  readonly duplicateProbability: number;
  /** A message that lingers somewhere, up to `longDelayMs`. */
  readonly longDelayProbability: number;
  readonly longDelayMs: number;
}

/** Where messages arrive: `null` while nothing listens there. */
export interface Host {
  readonly name: string;
  /** False: the machine is off, and doesn't even refuse. */
  isUp: boolean;
  process: Process | null;
}

export type Failure = "timeout" | "refused";

export class Network {
  options: NetworkOptions;
  readonly #world: World;
  /** `from>to` of links that are cut. */
  readonly #cut = new Set<string>();
  readonly #streams = new Map<string, Map<string, Random>>();

  constructor(world: World, options: NetworkOptions) {
    this.#world = world;
    this.options = options;
  }

  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`);
  }

  heal(from: string, to: string): void {
    this.#cut.delete(`${from}>${to}`);
  }

  healAll(): void {
    this.#cut.clear();
  }

  /** What is drawn for this link, in this direction. */
  streamOf(from: string, to: string): Random {
    let streams = this.#streams.get(from);
    if (streams === undefined) {
      streams = new Map();
      this.#streams.set(from, streams);
    }
    let stream = streams.get(to);
    if (stream === undefined) {
      stream = this.#world.stream(`${from}>${to}`);
      streams.set(to, stream);
    }
    return stream;
  }

  /** One message's way on a network that loses and delays nothing. */
  quietDelayMs(random: Random): number {
    return this.options.leastDelayMs + this.options.jitterMs * random.next();
  }

  /** Nothing is cut, lost, sent twice or late. */
  get isQuiet(): boolean {
    const { lossProbability, duplicateProbability, longDelayProbability } = this.options;
    return !this.hasCuts && lossProbability + duplicateProbability + longDelayProbability === 0;
  }

  get hasCuts(): boolean {
    return this.#cut.size > 0;
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.size > 0 && this.#cut.has(`${from}>${to}`);
  }

  /** One message's way; null: it is lost. */
  #delayMs(from: Host, to: Host): number | null {
    const { options } = this;
    const random = this.streamOf(from.name, to.name);
    if (this.isCut(from.name, to.name) || random.chance(options.lossProbability)) return null;
    const delayMs = options.leastDelayMs + options.jitterMs * random.next();
    if (!random.chance(options.longDelayProbability)) return delayMs;
    return delayMs + options.longDelayMs * random.next();
  }

  /** One message, no answer. */
  send(from: Host, to: Host, deliver: (process: Process) => void): void {
    const delayMs = this.#delayMs(from, to);
    if (delayMs === null) return;
    const arrive = (): void => {
      const { process } = to;
      if (process !== null) {
        process.run(() => {
          deliver(process);
        });
      }
    };
    this.#world.after(delayMs, arrive);
    const random = this.streamOf(from.name, to.name);
    if (random.chance(this.options.duplicateProbability)) {
      this.#world.after(delayMs + this.options.longDelayMs * random.next(), arrive);
    }
  }

  /**
   * `deliver` gets a function to answer with; `done` is called once in the asking process, with the
   * answer or with what went wrong.
   */
  call<Answer>(
    from: Host,
    to: Host,
    timeoutMs: number,
    deliver: (process: Process, respond: (answer: Answer) => void) => void,
    done: (answer: Answer | null, failure: Failure | null) => void,
  ): void {
    const asking = from.process;
    if (asking === null) return;
    const call = new Call<Answer>(this.#world, asking, this.#world.nowMs + timeoutMs, done);
    const delayMs = this.#delayMs(from, to);
    if (delayMs === null) {
      call.giveUpInTime();
      return;
    }
    const arrive = (): void => {
      this.#arrive(from, to, deliver, call);
    };
    this.#world.after(delayMs, arrive);
    const random = this.streamOf(from.name, to.name);
    if (random.chance(this.options.duplicateProbability)) {
      this.#world.after(delayMs + this.options.longDelayMs * random.next(), arrive);
    }
  }

  #arrive<Answer>(
    from: Host,
    to: Host,
    deliver: (process: Process, respond: (answer: Answer) => void) => void,
    call: Call<Answer>,
  ): void {
    const { process } = to;
    if (process === null || !process.isAlive) {
      const backMs = to.isUp ? this.#delayMs(to, from) : null;
      if (backMs === null) call.giveUpInTime();
      else call.finish(backMs, null, "refused");
      return;
    }
    let isAnswered = false;
    process.run(() => {
      deliver(process, (answer) => {
        isAnswered = true;
        const backMs = this.#delayMs(to, from);
        if (backMs === null) call.giveUpInTime();
        else call.finish(backMs, answer, null);
      });
    });
    if (!isAnswered) call.giveUpInTime();
  }
}

/** One request that somebody waits for. */
class Call<Answer> {
  readonly #world: World;
  readonly #asking: Process;
  readonly #deadlineMs: number;
  readonly #done: (answer: Answer | null, failure: Failure | null) => void;
  #isOver = false;
  #givesUp = false;

  constructor(
    world: World,
    asking: Process,
    deadlineMs: number,
    done: (answer: Answer | null, failure: Failure | null) => void,
  ) {
    this.#world = world;
    this.#asking = asking;
    this.#deadlineMs = deadlineMs;
    this.#done = done;
  }

  /** The time-out is only planned where it may be needed: most calls are answered. */
  giveUpInTime(): void {
    if (this.#givesUp || this.#isOver) return;
    this.#givesUp = true;
    this.#world.at(this.#deadlineMs, () => {
      this.#end(null, "timeout");
    });
  }

  finish(inMs: number, answer: Answer | null, failure: Failure | null): void {
    if (this.#world.nowMs + inMs >= this.#deadlineMs) {
      this.giveUpInTime();
      return;
    }
    this.#world.after(inMs, () => {
      this.#end(answer, failure);
    });
  }

  #end(answer: Answer | null, failure: Failure | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#asking.run(() => {
      this.#done(answer, failure);
    });
  }
}
