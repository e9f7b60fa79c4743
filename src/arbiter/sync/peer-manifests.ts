/** Asks other arbiters for their manifest. No answer within the time is none, whatever the reason. */
import type { OtherArbiters } from "../other-arbiters.ts";
import type { Manifest } from "./manifest.ts";
import { parseManifest } from "./manifest.ts";

/** Ten thousand files with their hashes. */
const ANSWER_LIMIT_BYTES = 4 * 1024 * 1024;
const TIMEOUT_MS = 900;

export class PeerManifests {
  readonly #others: Pick<OtherArbiters, "send">;

  constructor(others: Pick<OtherArbiters, "send">) {
    this.#others = others;
  }

  /** Without files it is small, and asked for often. */
  async ask(url: string, withFiles: boolean): Promise<Manifest | null> {
    const answer = await this.#others.send({
      url,
      method: "GET",
      path: withFiles ? "/v1/config" : "/v1/config?files=0",
      headers: {},
      body: null,
      timeoutMs: TIMEOUT_MS,
      limitBytes: ANSWER_LIMIT_BYTES,
    });
    if (!("status" in answer) || answer.status !== 200) return null;
    try {
      const manifest = parseManifest(JSON.parse(answer.body.toString("utf8")));
      return manifest.ok ? manifest.value : null;
    } catch {
      return null;
    }
  }
}
