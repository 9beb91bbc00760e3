import { priceProviderOf } from '../../../pricing/provider-names.ts';

/* What names a call that happened elsewhere, within its team: by whichever way it is told, the same answer has the same name. */

/** Of the event that tells of it. */
export function eventKey(source: string, id: string): string {
  return `event ${JSON.stringify([source, id])}`;
}

/** Of the span that tells of it. */
export function spanKey(traceId: string, spanId: string): string {
  return `span ${traceId} ${spanId}`;
}

/** Of the provider's answer. */
export function responseKeys(provider: string, responseId: string | undefined): readonly string[] {
  return responseId === undefined
    ? []
    : [`response ${JSON.stringify([priceProviderOf(provider), responseId])}`];
}
