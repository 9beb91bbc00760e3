/*
 * The identity of a message follows from its team, source and id. Where the host itself sends messages, others could take their places before
 * they are there: so such a source is the host's alone.
 */

/** Of a message of a batch: its item's id is the message's. */
export const batchSources = '/v1/batches/';

/** Of a message of a schedule: its id is the time at which it ran. */
export const scheduleSources = '/v1/schedules/';

const reserved = [batchSources, scheduleSources];

/** Whether only the host sends messages of this source. */
export function isReservedSource(source: string): boolean {
  return reserved.some((prefix) => source.startsWith(prefix));
}

export const reservedSourceProblem = `must not begin with "${batchSources}" or "${scheduleSources}": what batches and schedules send is sent by the host alone`;
