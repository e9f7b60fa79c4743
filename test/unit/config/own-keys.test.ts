/** What a daemon reads from its own file alone is the same on its machine and in the arbiter's folder, or it isn't. */
import { expect, it } from "vitest";
import { ownConfigOf } from "../../../src/config/own-keys.ts";
import { Folder } from "./folder.ts";

const CLUSTER = { "arbiter.cfg": "[cluster]\nname = demo\nkill_grace = 100ms\n" };
const MASTER = { "daemons/web.cfg": "[web]\nname = web\nport = 1\ncommand = ./serve\n" };

async function hashIn(files: Readonly<Record<string, string>>, name: string, file = "."): Promise<string> {
  await using folder = await Folder.of(files);
  const { members, problems } = await folder.load(file, { HOME_OF: name });
  const member = members.find(({ spec }) => spec.name === "web-spare");
  if (member === undefined) throw new Error(problems.map(({ text }) => text).join("\n"));
  return ownConfigOf(member);
}
const spare = (lines: string): Record<string, string> => ({
  "daemons/spare.cfg": `web_name  web-spare\nport  2\nspare  1\n${lines}`,
});

it("its file alone and the same file in the folder", async () => {
  const file = spare("command  ./serve --fast\nenv_ROOM  ${HOME_OF}\nstop_timeout  60s\n");
  const [alone, inFolder] = await Promise.all([
    hashIn(file, "here", "daemons/spare.cfg"),
    hashIn({ ...CLUSTER, ...MASTER, ...file }, "there"),
  ]);
  expect(alone).toMatch(/^[\w-]{16}$/u);
  expect(inFolder).toBe(alone);
});

it("another command, another variable, another hook: another hash; what the arbiter goes by: the same", async () => {
  const was = await hashIn(spare("command  ./serve\n"), "x", "daemons/spare.cfg");
  for (const lines of [
    "command  ./serve --new\n",
    "command  ./serve\nenv_A  b\n",
    "command  ./serve\npre_start  ./x\n",
  ])
    expect(await hashIn(spare(lines), "x", "daemons/spare.cfg")).not.toBe(was);
  const timing = spare(
    "command  ./serve\npriority  7\ncheck_interval  1s\n_note  hello\nenv_API_TOKEN  secret\n",
  );
  expect(await hashIn(timing, "x", "daemons/spare.cfg")).toBe(was);
});

it("a file that says nothing of what is run has none", async () => {
  expect(await hashIn({ ...CLUSTER, ...MASTER, ...spare("") }, "x")).toBe("");
});
