/** Debian's Chromium, without the things that it does on its own account. */
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";

/** In continuous integration a missing browser is an error; elsewhere it is said, and nothing is tried. */
export function isMissing(): boolean {
  if (existsSync(CHROMIUM)) return false;
  if (process.env["CI"] !== undefined) throw new Error(`${CHROMIUM} is needed in continuous integration`);
  process.stdout.write(`${CHROMIUM} isn't installed: the dashboard isn't tried\n`);
  return true;
}

export async function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--no-first-run",
    ],
  });
}

export interface Watched {
  /** What the page's console and its policy had to complain about. */
  readonly complaints: string[];
  /** Origins that were asked for anything. */
  readonly origins: Set<string>;
}

export function watch(page: Page): Watched {
  const complaints: string[] = [];
  const origins = new Set<string>();
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    // An arbiter that is killed on purpose leaves failed requests behind.
    const isNetwork = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !isNetwork) complaints.push(message.text());
  });
  page.on("request", (request) => origins.add(new URL(request.url()).origin));
  return { complaints, origins };
}
