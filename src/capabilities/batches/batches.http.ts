import type { HttpPart } from '../http-part.ts';
import { intakePart } from './intake/intake.http.ts';
import { modePart } from './mode/mode.http.ts';
import { reportPart } from './report/report.http.ts';
import { runPart } from './run/run.http.ts';

const parts: readonly HttpPart[] = [intakePart, runPart, modePart, reportPart];

/** The part of the HTTP API: what its parts have. */
export const httpPart: HttpPart = {
  controllers: parts.flatMap(({ controllers = [] }) => controllers),
  services: parts.flatMap(({ services }) => services),
  answers: membersOf(parts.map(({ answers }) => answers)),
  requests: membersOf(parts.map(({ requests }) => requests)),
  schemas: membersOf(parts.map(({ schemas }) => schemas)),
  bodies: membersOf(parts.map(({ bodies }) => bodies)),
};

function membersOf<Member>(
  objects: readonly (Readonly<Record<string, Member>> | undefined)[],
): Readonly<Record<string, Member>> {
  return Object.fromEntries(objects.flatMap((object = {}) => Object.entries(object)));
}
