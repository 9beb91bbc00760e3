import type { HttpPart } from '../http-part.ts';
import { runPart } from './run/run.http.ts';

/** The part of the HTTP API: what its parts have. */
export const httpPart: HttpPart = {
  controllers: runPart.controllers ?? [],
  services: runPart.services,
  answers: runPart.answers ?? {},
  requests: runPart.requests ?? {},
};
