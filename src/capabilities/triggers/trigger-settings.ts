import { z } from 'zod';
import { setting, urlOf, wholeNumber } from '../../kernel/setting.ts';

const name = z.string().min(1).max(128);
/** A table or column as PostgreSQL writes it without quotes, with its schema in front where it has one. */
const identifier = z
  .string()
  .regex(/^[a-z_][a-z0-9_]{0,62}(?:\.[a-z_][a-z0-9_]{0,62})?$/, 'must be a name of PostgreSQL in lower case');
const column = z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/, 'must be a name of PostgreSQL in lower case');

/** A stream of Redis with its consumer group. */
export const redisSourceSchema = z.strictObject({
  kind: z.literal('redis'),
  url: urlOf('redis:', 'rediss:'),
  stream: name,
  group: name.default('millrace'),
  /** Where a group that is new begins: with all that is there, or with what comes. */
  from: z.enum(['start', 'new']).default('start'),
  payloadField: name.optional(),
  keyField: name.optional(),
});
export type RedisSourceSettings = z.output<typeof redisSourceSchema>;

/** A table of PostgreSQL. */
export const postgresSourceSchema = z.strictObject({
  kind: z.literal('postgres'),
  url: urlOf('postgres:', 'postgresql:'),
  table: identifier,
  id: column.default('id'),
  payload: column.default('payload'),
  key: column.optional(),
  headers: column.optional(),
  /** Set to the time at which the event was admitted; without one the row is deleted. */
  doneAt: column.optional(),
  channel: column.optional(),
  pollMs: wholeNumber(50, 60_000).default(1000),
});
export type PostgresSourceSettings = z.output<typeof postgresSourceSchema>;

/** Where events come from. */
export const sourceSchema = z.discriminatedUnion('kind', [redisSourceSchema, postgresSourceSchema]);
export type SourceSettings = z.output<typeof sourceSchema>;

/** The section `triggers` of the configuration. */
export const triggersSettings = z
  .strictObject({
    sources: setting(z.record(z.string().min(1).max(64), sourceSchema).default({}), {
      help: 'Where events come from, by the names that triggers use (docs/triggers.md): `{kind: "redis", url, stream, group?, from?, payloadField?, keyField?}` or `{kind: "postgres", url, table, id?, payload?, key?, headers?, doneAt?, channel?, pollMs?}`. A trigger without a source here takes events of this process alone.',
    }),
    group: setting(wholeNumber(1, 1000).default(200), {
      env: 'MILLRACE_TRIGGERS_GROUP',
      help: 'The most events that are received, admitted in one transaction and acknowledged together.',
    }),
    maxBacklog: setting(wholeNumber(1, 100_000_000).default(10_000), {
      env: 'MILLRACE_TRIGGERS_MAX_BACKLOG',
      help: 'While a stage has so many messages that wait, nothing is consumed for its triggers.',
    }),
    keepUnreadableDays: setting(wholeNumber(1, 3650).default(14), {
      env: 'MILLRACE_TRIGGERS_KEEP_UNREADABLE_DAYS',
      help: 'How long events are kept of which no message could be made.',
    }),
  })
  .prefault({});

export type TriggersSettings = z.output<typeof triggersSettings>;
