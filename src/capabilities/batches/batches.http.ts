import type { HttpPart } from '../http-part.ts';
import { modePart } from './mode/mode.http.ts';
import { runPart } from './run/run.http.ts';

const parts: readonly HttpPart[] = [runPart, modePart];

/** The part of the HTTP API: what its parts have. */
export const httpPart: HttpPart = {
  controllers: parts.flatMap(({ controllers = [] }) => controllers),
  services: parts.flatMap(({ services }) => services),
  answers: Object.assign({}, ...parts.map(({ answers = {} }) => answers)) as NonNullable<HttpPart['answers']>,
  requests: Object.assign({}, ...parts.map(({ requests = {} }) => requests)) as NonNullable<
    HttpPart['requests']
  >,
};
