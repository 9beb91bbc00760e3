import { AppError } from '../kernel/app-error.ts';
import type { ApiKeyIdentity } from './api-key-identity.ts';

/** Who looks or acts: with a team, nothing of another team is seen, counted or touched. */
export interface Viewer {
  readonly team?: string | undefined;
}

/** Who acts, with the name for the audit. */
export interface Operator extends Viewer {
  readonly actor: string;
}

/** The audit's name of an API key, or of a person. */
export function actorOf({ kind, name, id }: Pick<ApiKeyIdentity, 'kind' | 'name' | 'id'>): string {
  return `${kind ?? 'key'}:${name}:${id}`;
}

/** The caller as an operator. */
export function operatorOf(caller: ApiKeyIdentity): Operator {
  const { team } = caller;
  return { actor: actorOf(caller), ...(team === undefined ? {} : { team }) };
}

/** Refuses to let one who is bound to a team do what concerns all of them. Throws MILLRACE_FORBIDDEN. */
export function requireUnbound({ team }: Viewer, mayOnly: string): void {
  if (team === undefined) return;
  throw new AppError(
    'MILLRACE_FORBIDDEN',
    `This API key belongs to the team "${team}"; only one without a team may ${mayOnly}.`,
  );
}
