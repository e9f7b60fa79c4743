/** Everything that the fuzzer runs against. */
import { configFolders, configTexts } from "./config-target.ts";
import { arbiterCore, daemonCore } from "./core-target.ts";
import { arbiterHttp, daemonHttp } from "./http-target.ts";
import { messages } from "./message-target.ts";
import { plainRequests } from "./plain-request-target.ts";
import { storeServers } from "./store-server-target.ts";
import { storeBytes, storeRows } from "./store-target.ts";
import type { Target } from "./target.ts";

export const TARGETS: readonly Target[] = [
  configTexts,
  configFolders,
  messages,
  plainRequests,
  daemonCore,
  arbiterCore,
  daemonHttp,
  arbiterHttp,
  storeRows,
  storeBytes,
  ...storeServers,
];
