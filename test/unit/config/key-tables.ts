/** The documentation's tables of keys, as the key table in the code would write them. */
import { type KeySpec, keysOf, type Where } from "../../../src/config/keys.ts";

export function specsOf(where: Where): KeySpec[] {
  const specs = [...new Set(keysOf(where).values())];
  // [cluster] takes daemons' keys as defaults; they are documented once, as daemons' keys.
  return where === "cluster" ? specs.filter((spec) => spec.where.length === 1) : specs;
}

export function tableOf(where: Where): string {
  const rows = specsOf(where)
    .filter((spec) => where !== "arbiter" || !spec.where.includes("daemon"))
    .map((spec) => {
      const fallback = spec.fallback === null ? (spec.computed ?? "none") : `\`${spec.fallback}\``;
      const words =
        spec.oneOf === undefined ? "" : ` One of ${spec.oneOf.map((word) => `\`${word}\``).join(", ")}.`;
      const places = where === "daemon" ? ` | ${placesOf(spec)}` : "";
      return `| \`${spec.name}\` | ${fallback} | ${spec.meaning}${words}${places} |`;
    });
  const head =
    where === "daemon"
      ? "| key | default | meaning | also in |\n| --- | --- | --- | --- |"
      : "| key | default | meaning |\n| --- | --- | --- |";
  return [head, ...rows].join("\n");
}

function placesOf(spec: KeySpec): string {
  return spec.where
    .filter((place) => place !== "daemon")
    .map((place) =>
      place === "arbiter" ? "an arbiter" : place === "service" ? "`[service]`" : "`[cluster]`",
    )
    .join(", ");
}
