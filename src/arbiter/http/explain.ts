/** The route that tells why a service is where it is. */
import type { Request, Response } from "express";
import { problem, sendJson, sendProblem } from "../../protocol/problem.ts";
import { explained } from "../explanation.ts";
import type { Api } from "./api.ts";
import { parameter } from "./api.ts";
import { queryNumber } from "./arguments.ts";

const MOST_MOVES = 50;
const SOME_MOVES = 5;

export async function explain({ engine }: Api, request: Request, response: Response): Promise<void> {
  const moves = queryNumber(request, "moves", MOST_MOVES) ?? SOME_MOVES;
  if (typeof moves === "object") {
    sendProblem(response, moves);
    return;
  }
  const name = parameter(request, "service");
  const explanation = await explained(engine, name, moves);
  if (explanation !== null) {
    sendJson(response, 200, explanation);
    return;
  }
  const known = engine.state.model.services.map((service) => service.name).join(", ") || "none";
  const detail = `There is no service ${name}. Known: ${known}.`;
  sendProblem(response, problem(404, "Not Found", detail, { code: "ERR_ARB_NOT_FOUND" }));
}
