/**
 * The other half of `client_cert = required`: who answers must be who was asked. A certificate that
 * is good for an address is not enough, as several daemons may live at one. An answer can be proof
 * of a death, or a promise not to become active: with a stolen certificate of another daemon it
 * could otherwise be given in anyone's name (I1).
 *
 * A session that is resumed shows no certificate: connectors for this keep none.
 */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { buildConnector } from "undici";
import { nameIn } from "./caller.ts";

/** For `buildConnector`. */
export const NO_SESSIONS = { maxCachedSessions: 0 } as const;

/** For one target: connects, and goes on only with whom was meant. */
export function expecting(name: string, connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) => {
    connect(options, (...connected) => {
      const [error, socket] = connected;
      const stranger = error === null ? strangerAt(socket, name) : null;
      if (stranger === null) {
        callback(...connected);
        return;
      }
      socket?.destroy();
      callback(stranger, null);
    });
  };
}

function strangerAt(socket: Socket, wanted: string): Error | null {
  if (!(socket instanceof TLSSocket)) return null;
  const found = nameIn(socket.getPeerCertificate());
  if (found === wanted) return null;
  const whose = found === null ? "has no name" : `is ${found}'s`;
  return new Error(`its certificate ${whose}, not ${wanted}'s (\`client_cert = required\`)`);
}

/** For an agent with many targets: whom it expects at which origin. */
export class ExpectedPeers {
  readonly #isOn: boolean;
  readonly #names = new Map<string, string>();

  /** `isOn`: certificates are asked for, and whose they are counts. */
  constructor(isOn: boolean) {
    this.#isOn = isOn;
  }

  /** True: somebody else was expected there before, so that connections made then are no use now. */
  expect(origin: string, name: string): boolean {
    if (!this.#isOn) return false;
    const before = this.#names.get(origin);
    this.#names.set(origin, name);
    return before !== undefined && before !== name;
  }

  connector(connect: buildConnector.connector): buildConnector.connector {
    return (options, callback) => {
      const name = this.#names.get(
        `${options.protocol}//${options.host ?? `${options.hostname}:${options.port}`}`,
      );
      (name === undefined ? connect : expecting(name, connect))(options, callback);
    };
  }
}
