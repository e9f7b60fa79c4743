/**
 * A short way for the request that comes with every check. A holder is asked three times a second for as long as it
 * runs, by the same arbiter over the same connection, and Node's server spends more on each one than all that is done
 * with it: objects and streams for a request that came whole, in one piece.
 *
 * So a connection is ours at first. What came whole and is exactly a check (see plain-request.ts) that can be
 * taken is answered from here; with the first bytes of anything else, the connection with those bytes
 * is Node's from then on, as if nobody had looked at them. Nothing is refused here, and
 * nothing but a valid assignment from whoever may send one is taken.
 *
 * Plain HTTP alone: under TLS a connection is Node's from the start.
 */
import { STATUS_CODES } from "node:http";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { readPlainRequest } from "../protocol/plain-request.ts";
import type { PlainRequest } from "../protocol/plain-request.ts";

export interface LaneAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface CheckLaneOptions {
  /** Null: this isn't for here, and nothing has been done with it. */
  readonly answer: (request: PlainRequest) => Promise<LaneAnswer> | null;
  /** A request came over it. */
  readonly onUsed: (socket: Socket) => void;
  /** So long whoever has connected may wait with his first request. */
  readonly firstRequestMs: number;
  readonly keepAliveMs: number;
}

const REQUEST_LINE = "PUT /v1/assignment HTTP/1.1";

/**
 * Takes the server's connections before the server itself does; to be called before anybody else listens to
 * them. Returns how to close those that are here.
 */
export function openCheckLane(server: Server, options: CheckLaneOptions): () => void {
  const [deliver, ...others] = server.listeners("connection");
  if (deliver === undefined || others.length > 0) throw new Error("this server's connections aren't its own");
  server.removeAllListeners("connection");
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    const lane = new LaneConnection(socket, options);
    lane.onOther = (): void => {
      open.delete(socket);
      Reflect.apply(deliver, server, [socket]);
    };
  });
  return (): void => {
    for (const socket of open) socket.destroy();
  };
}

class LaneConnection {
  readonly #socket: Socket;
  readonly #options: CheckLaneOptions;
  #isBusy = false;
  #hasEnded = false;
  /** What came while an answer was awaited. */
  #early: Buffer[] = [];
  /** Something else than a check has come: the connection is to be given to whoever can tell what. */
  onOther: () => void = () => {};

  constructor(socket: Socket, options: CheckLaneOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on("data", this.#take);
    socket.on("end", this.#end);
    socket.on("timeout", this.#tire);
    socket.on("error", this.#fail);
    socket.setTimeout(options.firstRequestMs);
  }

  readonly #take = (bytes: Buffer): void => {
    if (this.#isBusy) {
      this.#early.push(bytes);
      this.#socket.pause();
      return;
    }
    const request = readPlainRequest(bytes, REQUEST_LINE);
    const answer = request === null ? null : this.#options.answer(request);
    if (answer === null) {
      this.#giveAway(bytes);
      return;
    }
    this.#isBusy = true;
    const { keepAliveMs, onUsed } = this.#options;
    onUsed(this.#socket);
    if (this.#socket.timeout !== keepAliveMs) this.#socket.setTimeout(keepAliveMs);
    void this.#answer(answer);
  };

  async #answer(awaited: Promise<LaneAnswer>): Promise<void> {
    try {
      this.#write(await awaited);
    } catch {
      // Whatever it was: an answer that can't be given is none, and a check is asked again.
      this.#socket.destroy();
    }
  }

  #write({ status, headers, body }: LaneAnswer): void {
    const { keepAliveMs } = this.#options;
    const all = {
      ...headers,
      "content-length": String(Buffer.byteLength(body)),
      connection: "keep-alive",
      "keep-alive": `timeout=${Math.floor(keepAliveMs / 1000)}`,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    const socket = this.#socket;
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n`;
    // Who doesn't read isn't answered any more: it would all be kept here.
    if (socket.write(`${head}${body}`)) this.#goOn();
    else socket.once("drain", this.#goOn);
  }

  readonly #goOn = (): void => {
    const socket = this.#socket;
    this.#isBusy = false;
    if (this.#early.length > 0) {
      socket.resume();
      this.#take(Buffer.concat(this.#early.splice(0)));
    } else if (this.#hasEnded) socket.end();
  };

  /** A server's sockets stay half open: it's for us to close the other half. */
  readonly #end = (): void => {
    this.#hasEnded = true;
    if (!this.#isBusy) this.#socket.end();
  };

  readonly #tire = (): void => {
    this.#socket.destroy();
  };

  /** It closes then, and that is all there is to do. */
  readonly #fail = (): void => {};

  #giveAway(bytes: Buffer): void {
    const socket = this.#socket;
    socket.off("data", this.#take);
    socket.off("end", this.#end);
    socket.off("timeout", this.#tire);
    socket.off("error", this.#fail);
    socket.setTimeout(0);
    socket.pause();
    socket.unshift(bytes);
    this.onOther();
    // Not before whoever it was given to listens.
    process.nextTick(() => socket.resume());
  }
}
