/** What a debugger can do to a process that was started with `--inspect`: let it stand still, or run something in it. */
import { setTimeout as sleep } from "node:timers/promises";

export class Debugger implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #heard: string[] = [];

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#heard.push(String(data)));
  }

  /** `said`: what the process has written to standard error, where its debugger's address stands. */
  static async attach(said: () => string): Promise<Debugger> {
    let url: string | undefined;
    while ((url = /ws:\/\/\S+/u.exec(said())?.[0]) === undefined) await sleep(10);
    const socket = new WebSocket(url);
    const opened = Promise.withResolvers<void>();
    socket.addEventListener("open", () => opened.resolve());
    socket.addEventListener("error", () => opened.reject(new Error(`no debugger answers at ${url}`)));
    await opened.promise;
    return new Debugger(socket);
  }

  /** Resolves when the process stands still. */
  async pause(): Promise<void> {
    this.#socket.send(JSON.stringify({ id: 1, method: "Debugger.enable" }));
    this.#socket.send(JSON.stringify({ id: 2, method: "Debugger.pause" }));
    while (!this.#heard.some((text) => text.includes('"Debugger.paused"'))) await sleep(5);
  }

  /** Runs it in the process, and waits until it has ended there. */
  async run(expression: string): Promise<void> {
    this.#socket.send(JSON.stringify({ id: 4, method: "Runtime.evaluate", params: { expression } }));
    while (!this.#heard.some((text) => text.startsWith('{"id":4,'))) await sleep(5);
  }

  resume(): void {
    this.#socket.send(JSON.stringify({ id: 3, method: "Debugger.resume" }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
  }
}
