import { headerOf } from '../../http/request-facts.ts';
import type { ResponseWriter } from '../../http/response-writer.ts';
import { preferenceApplied, readPreferences } from './prefer.ts';

/** The injection token of the longest wait. */
export const maxWaitToken = Symbol('millrace:requests-max-wait');

/** How long a client is made to wait for the end of a request, by what it prefers; what is applied stands in the answer. */
export function applyWait(request: object, response: ResponseWriter, maxWaitSeconds: number): number {
  const preferences = readPreferences(headerOf(request, 'prefer'));
  const { waitSeconds } = preferences;
  const applied = waitSeconds === undefined ? undefined : Math.min(waitSeconds, maxWaitSeconds);
  const header = preferenceApplied(preferences, applied);
  response.header('vary', 'prefer');
  if (header !== undefined) response.header('preference-applied', header);
  return (applied ?? 0) * 1000;
}
