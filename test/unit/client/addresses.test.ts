/** How users write the arbiters' addresses, and which of those that are heard of later may be used. */
import { expect, test } from "vitest";
import { readAddresses, usable } from "../../../src/client/addresses.ts";

test.each([
  ["http://a:7770,http://b:7770", false, ["http://a:7770", "http://b:7770"]],
  [" a:7770 , b:7770,a:7770 ", false, ["http://a:7770", "http://b:7770"]],
  ["a:7770", true, ["https://a:7770"]],
  ["http://a:7770/", true, ["http://a:7770"]],
  ["[::1]:7770,https://h", false, ["http://[::1]:7770", "https://h"]],
  [["a:1", "https://b:2"], false, ["http://a:1", "https://b:2"]],
])("%s", (given, isSecure, expected) => {
  expect(readAddresses(given, isSecure)).toEqual(expected);
});

test.each(["", "a", "ftp://a:1", "a:b", "a:1:2,", "http://"])("refused: %s", (given) => {
  expect(() => readAddresses(given, false)).toThrow(/connect\(\) takes arbiters' addresses/u);
});

test("who began with https alone is not led to plain http", () => {
  const heard = ["http://a:1", "https://b:2", "nonsense", "https://b:2/path"];
  expect(usable(heard, ["https://x"])).toEqual(["https://b:2"]);
  expect(usable(heard, ["https://x", "http://y"])).toEqual(["http://a:1", "https://b:2"]);
});
