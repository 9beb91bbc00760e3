import type { HttpPart } from '../http-part.ts';
import { intakePart } from './intake/intake.http.ts';
import { modePart } from './mode/mode.http.ts';
import { runPart } from './run/run.http.ts';

/** The part of the HTTP API: what its parts have. */
export const httpPart: HttpPart = {
  controllers: [intakePart, runPart, modePart].flatMap(({ controllers = [] }) => controllers),
  services: [...intakePart.services, ...runPart.services, ...modePart.services],
  answers: { ...intakePart.answers, ...runPart.answers, ...modePart.answers },
  requests: { ...intakePart.requests, ...runPart.requests, ...modePart.requests },
  schemas: { ...intakePart.schemas, ...runPart.schemas },
  bodies: { ...intakePart.bodies, ...runPart.bodies },
};
