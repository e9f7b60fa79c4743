/**
 * Golden transcripts: what an operator sees of each row of "What happens when". A change of behaviour
 * shows as a change of these files; see the README beside them.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { FILES_PLOTS } from "./files-scenes.ts";
import { Scene } from "./scene.ts";
import { PLOTS } from "./scenes.ts";

describe("what happens when", () => {
  test.each(PLOTS)("$file", async ({ file, row, bound, over, play }) => {
    const scene = new Scene(over);
    play(scene);
    await expect(scene.text(row, bound)).toMatchFileSnapshot(`./${file}.txt`);
  });

  test.each(FILES_PLOTS)("$file", async ({ file, row, bound, play }) => {
    const scene = await play();
    await expect(scene.text(row, bound)).toMatchFileSnapshot(`./${file}.txt`);
  });

  test("each row of the operators' table has a transcript", () => {
    const document = readFileSync(new URL("../../docs/operating.md", import.meta.url), "utf8");
    const table = /## What happens when\n.*?\n((?:\|.*\n)+)/s.exec(document)?.[1] ?? "";
    const rows = table
      .split("\n")
      .slice(2)
      .map((line) => line.split("|")[1]?.trim() ?? "")
      .filter((row) => row !== "");
    expect(rows.length).toBeGreaterThan(10);
    const told = new Set([...PLOTS, ...FILES_PLOTS].map(({ row }) => row));
    expect(rows.filter((row) => !told.has(row))).toEqual([]);
  });
});
