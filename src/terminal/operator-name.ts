import { userInfo } from 'node:os';

/** Who acts, for the audit: the name that was given, or the account at this machine. */
export function operatorName(actor: string | undefined): string {
  return `cli:${actor ?? userInfo().username}`;
}
