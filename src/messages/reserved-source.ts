/*
 * The identity of a message follows from its team, source and id. Where the host itself sends messages, others could take their places before
 * they are there: so such a source is the host's alone.
 */

/** Of a message of a batch: its item's id is the message's. */
export const batchSources = '/v1/batches/';

/** Whether only the host sends messages of this source. */
export function isReservedSource(source: string): boolean {
  return source.startsWith(batchSources);
}

export const reservedSourceProblem = `must not begin with "${batchSources}": the items of batches are sent by the host alone`;
