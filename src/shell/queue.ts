/**
 * The one queue of a process: take one event, step, run its effects in order, take the next.
 *
 * Timers, HTTP requests, file events and answers of the store only push. An idle queue takes the
 * event at once, on the caller's stack, so that an answer needs no turn of the loop; an event
 * pushed meanwhile, by an effect or by whom the effect called, waits until the effects of the one
 * before it are all performed. So a step never sees another one half done.
 *
 * A long run of events gives the loop a turn after each `burst`. An error in a step or an effect
 * means that state and world may no longer agree (a broken invariant): the queue stops for good
 * and says so once. It owns no timer and reads no clock, so that the simulator uses it as it is.
 */
export interface StepQueueOptions<Event, Effect> {
  step(event: Event): readonly Effect[];
  perform(effect: Effect): void;
  /** The process should end: its leases run out, which is safe. */
  onFatal(error: unknown): void;
  /** Events taken in a row before the loop gets a turn. (Default: 256) */
  readonly burst?: number;
  /** Runs the rest later. (Default: setImmediate) */
  readonly defer?: (run: () => void) => void;
}

/** At 50 µs an event, this is 13 ms. */
const DEFAULT_BURST = 256;

export class StepQueue<Event, Effect> {
  readonly #options: StepQueueOptions<Event, Effect>;
  readonly #burst: number;
  #waiting: Event[] = [];
  #head = 0;
  #busy = false;
  #stopped = false;

  constructor(options: StepQueueOptions<Event, Effect>) {
    this.#options = options;
    this.#burst = options.burst ?? DEFAULT_BURST;
  }

  /** Events that wait. */
  get length(): number {
    return this.#waiting.length - this.#head;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes the event now, or after those before it. A stopped queue drops it. */
  push(event: Event): void {
    if (this.#stopped) return;
    this.#waiting.push(event);
    if (!this.#busy) this.#run();
  }

  /** Drops what waits and takes nothing more; effects of the present step are still performed. */
  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
    this.#head = 0;
  }

  // `#busy` stays set while the rest is deferred, so that a push in between queues up behind it.
  readonly #run = (): void => {
    this.#busy = true;
    try {
      this.#takeBurst();
    } catch (error) {
      this.stop();
      this.#options.onFatal(error);
      return;
    }
    if (this.#head < this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
      (this.#options.defer ?? setImmediate)(this.#run);
      return;
    }
    this.#waiting = [];
    this.#head = 0;
    this.#busy = false;
  };

  #takeBurst(): void {
    let left = this.#burst;
    // Iterates over what is pushed meanwhile, too.
    for (const event of this.#waiting) {
      this.#head++;
      for (const effect of this.#options.step(event)) this.#options.perform(effect);
      left--;
      if (left === 0 || this.#stopped) return;
    }
  }
}
