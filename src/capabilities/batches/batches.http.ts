import type { HttpPart } from '../http-part.ts';
import { reportPart } from './report/report.http.ts';
import { runPart } from './run/run.http.ts';

/** The part of the HTTP API: what its parts have. */
export const httpPart: HttpPart = {
  controllers: [...(runPart.controllers ?? []), ...(reportPart.controllers ?? [])],
  services: [...runPart.services, ...reportPart.services],
  answers: { ...runPart.answers, ...reportPart.answers },
  requests: runPart.requests ?? {},
};
