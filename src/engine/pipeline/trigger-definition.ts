import { invariant } from '../../kernel/invariant.ts';
import type { MessageVersion } from '../../messages/message-type.ts';
import type { Lane } from './lane.ts';

/**
 * Where a value of an event is: its key; a header by its name (without regard to case); a field of its JSON payload, by names with dots between
 * them; or the same text for all events.
 */
export type EventValue =
  { readonly header: string } | { readonly payload: string } | { readonly fixed: string } | 'key';

/** Where the parts of an origin come from. */
export interface OriginRule {
  readonly team: EventValue;
  readonly customer: EventValue;
  readonly feature: EventValue;
  readonly batch?: EventValue;
  readonly labels?: Readonly<Record<string, EventValue>>;
}

/** What a user says about a trigger. */
export interface TriggerOptions {
  /** What becomes of an event: a message of this version, whose schema its payload (or the data of its CloudEvent) has to fit. */
  readonly message: MessageVersion;
  /** The name of its source in the configuration (`triggers.sources`). Default the trigger's name. */
  readonly source?: string;
  /**
   * How events are written: `json`, their payload is the data; or `cloud_event`, CloudEvents 1.0 in JSON, structured or, with their attributes in
   * headers, binary. Default `json`.
   */
  readonly form?: 'json' | 'cloud_event';
  /** Who caused the work. May be left out for CloudEvents: then their own attributes (`originteam`, …) say it. */
  readonly origin?: OriginRule;
  /** What is the same when the sender sends an event again. Default the `source` and `id` of a CloudEvent, and otherwise the position in the source. */
  readonly id?: EventValue;
  /** What is worked on. Default the `item` of a CloudEvent, and otherwise the message's id. */
  readonly item?: EventValue;
  /** Messages with the same value go one after another, in the order in which the source gave them. Default what the stage's `orderBy` says. */
  readonly orderBy?: EventValue;
  /** The lane of the messages. Default what the stage says. */
  readonly lane?: Lane;
}

/** Events from outside that become messages. `definePipeline(name, { triggers: [tickets] })` makes it one of a pipeline's. */
export interface TriggerDefinition extends TriggerOptions {
  readonly name: string;
  readonly source: string;
  readonly form: 'json' | 'cloud_event';
}

const options: Record<keyof TriggerOptions, true> = {
  message: true,
  source: true,
  form: true,
  origin: true,
  id: true,
  item: true,
  orderBy: true,
  lane: true,
};
const namePattern = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const maxNameLength = 64;

/**
 * Declares which events become messages of a pipeline, and how. Where they come from (which broker, topic, queue, stream or table) is configuration:
 * `triggers.sources`. Names are lower case with dashes and unique in a host.
 */
export function defineTrigger(name: string, given: TriggerOptions): TriggerDefinition {
  invariant(
    namePattern.test(name) && name.length <= maxNameLength,
    `"${name}" is a trigger's name (lower case with dashes, at most ${maxNameLength})`,
  );
  // Types do not reach callers in JavaScript.
  for (const option of Object.keys(given))
    invariant(
      Object.hasOwn(options, option),
      `trigger ${name} has no option "${option}"; its options are ${Object.keys(options).join(', ')}`,
    );
  const { form = 'json', source = name } = given;
  invariant(
    given.origin !== undefined || form === 'cloud_event',
    `trigger ${name} says where the origin of its messages is: only CloudEvents may say it themselves`,
  );
  return { ...given, name, form, source };
}
