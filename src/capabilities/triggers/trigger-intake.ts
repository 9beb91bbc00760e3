import type { Admissions, AdmitOptions, GroupMember } from '../../engine/pipeline/admissions.ts';
import type { TriggerDefinition } from '../../engine/pipeline/trigger-definition.ts';
import { AppError } from '../../kernel/app-error.ts';
import { derivedId } from '../../kernel/ids.ts';
import { isRefusedData } from '../../kernel/split-refused.ts';
import { readEvent } from './mapping/read-event.ts';
import type { EventRecord } from './source/event-source.ts';
import { triggerErrors } from './trigger-errors.ts';
import type { UnreadableEvent, UnreadableEvents } from './unreadable-events.ts';

/*
 * Admit, then acknowledge: what becomes of records is durable when this answers. The id of a message follows from its trigger and
 * from the event, so that a record that comes again meets the same row. One bad record never hurts its neighbours: the group is
 * written in one transaction, and where something in it is refused, each of it by itself and in its order.
 */

/** What became of records. */
export interface IntakeOutcome {
  /** How many of them, from the first, may be acknowledged. */
  readonly settled: number;
  readonly admitted: number;
  readonly duplicates: number;
  readonly unreadable: number;
  /** Why the record after these is not admitted by now: its budget, for instance. */
  readonly refusal: AppError | undefined;
}

/** What one record is to be. */
type Reading = { readonly member: GroupMember } | UnreadableEvent;

export interface TriggerIntakeOptions {
  readonly admissions: Pick<Admissions, 'check' | 'admitTogether'>;
  readonly unreadable: Pick<UnreadableEvents, 'keep'>;
}

/** Makes messages of records. */
export class TriggerIntake {
  readonly #options: TriggerIntakeOptions;

  constructor(options: TriggerIntakeOptions) {
    this.#options = options;
  }

  /** Admits records in their order. Throws what may pass (MILLRACE_DATABASE_UNAVAILABLE, …): then nothing of them is known to be written. */
  async admit(trigger: TriggerDefinition, records: readonly EventRecord[]): Promise<IntakeOutcome> {
    const readings: Reading[] = [];
    let refusal: AppError | undefined;
    for (const record of records) {
      const reading = await this.#read(trigger, record);
      if ('refusal' in reading) {
        ({ refusal } = reading);
        break;
      }
      readings.push(reading);
    }
    const { outcomes, refused } = await this.#write(
      readings.filter((one) => 'member' in one),
      records,
      readings,
    );
    const bad = [...readings.filter((one) => 'error' in one), ...refused];
    if (bad.length > 0) await this.#options.unreadable.keep(trigger.name, bad);
    const admitted = outcomes.filter((outcome) => outcome === 'admitted').length;
    const duplicates = outcomes.length - admitted;
    return { settled: readings.length, admitted, duplicates, unreadable: bad.length, refusal };
  }

  async #read(
    trigger: TriggerDefinition,
    record: EventRecord,
  ): Promise<Reading | { readonly refusal: AppError }> {
    try {
      const event = readEvent(trigger, record);
      const { type: typeName, version, data, source, id, item, startAt, delay, traceParent } = event;
      const { lane } = trigger;
      const options: AdmitOptions = {
        origin: event.origin,
        source,
        id,
        ...(item === undefined ? {} : { item }),
        ...(lane === undefined ? {} : { lane }),
        ...(startAt === undefined ? {} : { startAt }),
        ...(delay === undefined ? {} : { delay }),
        ...(traceParent === undefined ? {} : { traceParent }),
      };
      const message = await this.#options.admissions.check({ typeName, version, data }, options);
      if (message.refusal !== undefined) return { refusal: message.refusal.error };
      const messageId = derivedId(new Date(0), 'trigger', trigger.name, source, id);
      return { member: { message, messageId, orderKey: event.orderKey } };
    } catch (error) {
      return { record, error: faultOf(error) };
    }
  }

  /** Writes the members together; where one is refused, each by itself. */
  async #write(
    readable: readonly { readonly member: GroupMember }[],
    records: readonly EventRecord[],
    readings: readonly Reading[],
  ): Promise<{ readonly outcomes: readonly string[]; readonly refused: readonly UnreadableEvent[] }> {
    const { admissions } = this.#options;
    const members = readable.map(({ member }) => member);
    if (members.length === 0) return { outcomes: [], refused: [] };
    try {
      const receipts = await admissions.admitTogether(members);
      return { outcomes: receipts.map(({ outcome }) => outcome), refused: [] };
    } catch (error) {
      faultOf(error);
    }
    const outcomes: string[] = [];
    const refused: UnreadableEvent[] = [];
    for (const [index, reading] of readings.entries()) {
      const record = records[index];
      if (!('member' in reading) || record === undefined) continue;
      try {
        const [receipt] = await admissions.admitTogether([reading.member]);
        if (receipt !== undefined) outcomes.push(receipt.outcome);
      } catch (error) {
        refused.push({ record, error: faultOf(error) });
      }
    }
    return { outcomes, refused };
  }
}

const firstServerFault = 500;

/** Whether the refusal is of the event, and will be the same each time. */
function isFault(error: AppError): boolean {
  return (!error.retryable && error.status < firstServerFault) || isRefusedData(error);
}

/** What is wrong with an event. Throws what is not the event's fault, and may pass or be mended without it. */
function faultOf(error: unknown): AppError {
  if (!(error instanceof AppError)) {
    // A schema or a function of the stage that fails over an event fails over it each time.
    const why = 'The stage that consumes it failed over it, otherwise than by refusing it.';
    return new AppError(triggerErrors.MILLRACE_EVENT_UNREADABLE, why, { cause: error });
  }
  if (isFault(error)) return error;
  throw error;
}
