/**
 * A TCP proxy between a store and its server that loses what a test wants lost.
 *
 * It counts what the client sends. At the chosen piece it breaks the connection: either before the
 * server has got the piece, or after it, so that only the answer is lost.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

export interface Cut {
  /** 1: the first thing that the client sends. */
  readonly piece: number;
  readonly lost: "request" | "answer";
}

export class StoreProxy {
  readonly #target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut: Cut | null = null;
  #pieces = 0;
  #onPiece: ((piece: Buffer) => void) | null = null;

  constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#serve(client));
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** How many pieces the client has sent since the last cut was chosen. */
  get pieces(): number {
    return this.#pieces;
  }

  async start(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** Counts anew. The cut stays: every connection after it is broken, too, until another is chosen. */
  cutAt(cut: Cut | null): void {
    this.#cut = cut;
    this.#pieces = 0;
  }

  /** Called with each piece before the server gets it. */
  onPiece(listener: ((piece: Buffer) => void) | null): void {
    this.#onPiece = listener;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #serve(client: Socket): void {
    if (this.#cut !== null && this.#pieces >= this.#cut.piece) {
      client.destroy();
      return;
    }
    const server = connect({ host: "127.0.0.1", port: this.#target, noDelay: true });
    let isDeaf = false;
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    client.on("data", (piece) => {
      this.#onPiece?.(piece);
      this.#pieces++;
      if (this.#cut === null || this.#pieces < this.#cut.piece) {
        server.write(piece);
      } else if (this.#cut.lost === "request") {
        client.destroy();
      } else {
        isDeaf = true;
        server.write(piece);
      }
    });
    server.on("data", (piece) => {
      // The server has got it and has answered: now the answer is lost.
      if (isDeaf) client.destroy();
      else client.write(piece);
    });
  }
}
