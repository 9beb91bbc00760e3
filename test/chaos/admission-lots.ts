import { EventIntake } from '../../src/capabilities/ingest/event-intake.ts';
import type { Host } from '../../src/host/host.ts';
import type { ApiKeyIdentity } from '../../src/http/api-key-identity.ts';
import { isPrintableName } from '../../src/kernel/printable-name.ts';
import { newId } from '../../src/kernel/ids.ts';
import type { Release } from './handlers.ts';
import type { Answers } from './orders.ts';
import { faultOfRefusal, refusedAdmissions, refusedEvents } from './refused-admissions.ts';
import { SeededRandom } from './seeded-random.ts';
import { type Admitted, admittedAt, Report, Ticket, topicOf } from './workload.ts';

/*
 * Admissions of a run come in lots, with some that must be refused beside each: all at once, so that guilty and innocent
 * ones would share a statement. Half of the lots are batches of CloudEvents, read as those of HTTP are; the others are
 * admitted in code.
 */

export interface Lot {
  readonly indexes: readonly number[];
  readonly host: Host;
  readonly seed: number;
  readonly release: Release;
}

/** How many that must be refused are tried beside a lot. */
const guiltyPerLot = 3;
const source = 'chaos';
const caller: ApiKeyIdentity = { id: newId(new Date()), name: 'chaos', scopes: ['messages:write'] };

export async function admitLot({ indexes, host, seed, release }: Lot): Promise<Answers['admit']> {
  const random = new SeededRandom(`lot/${seed}/${indexes[0] ?? 0}`);
  const isBatch = random.next() < 0.5;
  const intake = new EventIntake(host.admissions);
  const guilty = isBatch
    ? random
        .shuffle(refusedEvents)
        .map((one) => () => faultOfRefusal(one, () => intake.admit(one.event(), caller)))
    : random
        .shuffle(refusedAdmissions)
        .map((one) => () => faultOfRefusal(one, () => one.admit(host.admissions)));
  const trying = Promise.all(guilty.slice(0, guiltyPerLot).map((attempt) => attempt()));
  await Promise.all(
    indexes.map((index) => {
      const admitted = admittedAt(seed, index);
      // What HTTP refuses in names, code takes.
      const isForHttp = isPrintableName(admitted.eventId) && isPrintableName(admitted.data.key);
      return isBatch && isForHttp
        ? intake.admit(eventOf(admitted, release), caller)
        : admitInCode(admitted, host, release);
    }),
  );
  const wrong = (await trying).filter((what) => what !== undefined);
  return { admitted: indexes.length, refused: guiltyPerLot, wrong };
}

async function admitInCode(
  { kind, data, eventId, origin, lane }: Admitted,
  { admissions }: Host,
  release: Release,
): Promise<void> {
  const options = {
    id: eventId,
    source,
    item: data.key,
    origin,
    ...(lane === undefined ? {} : { lane }),
  };
  if (kind === 'report') await admissions.admit(Report.v1, data, options);
  else if (release === 1) await admissions.admit(Ticket.v1, data, options);
  else await admissions.admit(Ticket.v2, { ...data, topic: topicOf(data.text) }, options);
}

/** The same as a CloudEvent, as it is when it was read from JSON. */
function eventOf({ kind, data, eventId, origin, lane }: Admitted, release: Release): unknown {
  const isNew = kind === 'ticket' && release === 2;
  const { team, customer, feature, batch, labels } = origin;
  return JSON.parse(
    JSON.stringify({
      specversion: '1.0',
      id: eventId,
      source,
      type: kind === 'report' ? Report.name : Ticket.name,
      schemaversion: isNew ? 2 : 1,
      originteam: team,
      origincustomer: customer,
      originfeature: feature,
      originbatch: batch,
      originlabels: labels === undefined ? undefined : JSON.stringify(labels),
      item: data.key,
      lane,
      data: isNew ? { ...data, topic: topicOf(data.text) } : data,
    }),
  );
}
