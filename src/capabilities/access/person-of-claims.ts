import { type ApiKeyIdentity, type ApiScope, apiScopes } from '../../http/api-key-identity.ts';
import { AppError } from '../../kernel/app-error.ts';
import { derivedId } from '../../kernel/ids.ts';
import { isPrintableName } from '../../kernel/printable-name.ts';
import type { OidcSettings } from './access-settings.ts';

/* What a person may do, by the claims of a token that is valid, and the configuration. Nobody gets a right that it does not name. */

/** The header by which a person of several teams says for which one. */
export const teamHeader = 'x-millrace-team';

const maxValues = 1000;
const maxNameLength = 128;

/**
 * Who the person is. `chosenTeam` is the team that the request names. Throws MILLRACE_UNAUTHENTICATED without a subject, and
 * MILLRACE_FORBIDDEN where the claims name no team, or not the chosen one.
 */
export function personOfClaims(
  claims: Readonly<Record<string, unknown>>,
  chosenTeam: string | undefined,
  settings: OidcSettings,
): ApiKeyIdentity {
  const { iss, sub } = claims;
  if (typeof iss !== 'string' || typeof sub !== 'string' || sub === '')
    throw new AppError('MILLRACE_UNAUTHENTICATED', 'The token names no subject.');
  const values = valuesOf(claimOf(claims, settings.scopesClaim), /\s+/);
  const team = teamOf(claims, values, chosenTeam, settings);
  return {
    kind: 'person',
    id: derivedId(new Date(0), iss, sub),
    name: nameOf(claims, sub, settings),
    scopes: scopesOf(values, settings),
    ...(team === undefined ? {} : { team }),
  };
}

function scopesOf(values: readonly string[], { grants }: OidcSettings): readonly ApiScope[] {
  const granted = new Set(
    values.flatMap((value) => (Object.hasOwn(grants, value) ? (grants[value] ?? []) : [])),
  );
  return apiScopes.filter((scope) => granted.has(scope));
}

/** The one team that the person acts for; undefined for every team. */
function teamOf(
  claims: Readonly<Record<string, unknown>>,
  values: readonly string[],
  chosen: string | undefined,
  { teamClaim, teams, allTeams }: OidcSettings,
): string | undefined {
  if (chosen !== undefined && !isName(chosen))
    throw forbidden(`The header ${teamHeader} is not the name of a team.`);
  if (values.some((value) => allTeams.includes(value))) return chosen;
  const named = valuesOf(claimOf(claims, teamClaim)).flatMap((value) => {
    if (teams === undefined) return isName(value) ? [value] : [];
    const mapped = Object.hasOwn(teams, value) ? teams[value] : undefined;
    return mapped === undefined ? [] : [mapped];
  });
  const own = [...new Set(named)];
  const [only] = own;
  if (only === undefined) throw forbidden('The token names no team.');
  if (chosen === undefined) {
    if (own.length === 1) return only;
    throw forbidden(`The token names several teams: say for which one in the header ${teamHeader}.`);
  }
  if (own.includes(chosen)) return chosen;
  throw forbidden(`The token does not name the team that the header ${teamHeader} does.`);
}

function nameOf(claims: Readonly<Record<string, unknown>>, sub: string, { nameClaim }: OidcSettings): string {
  const names = [claimOf(claims, nameClaim), sub];
  const name = names.find((one): one is string => typeof one === 'string' && isName(one)) ?? 'unnamed';
  // As names of keys: a colon would make an actor of the audit, person:NAME:ID, read as another.
  return name.replaceAll(':', '_');
}

function isName(text: string): boolean {
  return text.length > 0 && text.length <= maxNameLength && text.trim() === text && isPrintableName(text);
}

/** A claim by its name, or where points lead to. */
function claimOf(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

/** The texts of a claim: of a list, or of one text, which is split where it may be. */
function valuesOf(claim: unknown, separator?: RegExp): readonly string[] {
  if (typeof claim === 'string') {
    const parts = separator === undefined ? [claim] : claim.split(separator);
    return parts.filter((part) => part !== '').slice(0, maxValues);
  }
  if (!Array.isArray(claim)) return [];
  return (claim as readonly unknown[]).slice(0, maxValues).filter((value) => typeof value === 'string');
}

function forbidden(message: string): AppError {
  return new AppError('MILLRACE_FORBIDDEN', message);
}
