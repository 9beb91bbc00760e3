import type { HttpPart } from '../http-part.ts';
import { intakePart } from './intake/intake.http.ts';
import { runPart } from './run/run.http.ts';

/** The part of the HTTP API: what its parts have. */
export const httpPart: HttpPart = {
  controllers: [...(intakePart.controllers ?? []), ...(runPart.controllers ?? [])],
  services: [...intakePart.services, ...runPart.services],
  answers: { ...intakePart.answers, ...runPart.answers },
  requests: { ...intakePart.requests, ...runPart.requests },
  schemas: { ...intakePart.schemas, ...runPart.schemas },
  bodies: { ...intakePart.bodies, ...runPart.bodies },
};
