import { z } from 'zod';
import type { Capability } from '../capabilities/capability.ts';
import { capabilities } from './capabilities.ts';
import type { Contributed } from './contributed.ts';
import { modelSettings } from './model-settings.ts';
import { setting, secretText, wholeNumber, urlOf, commaList, onOff } from '../kernel/setting.ts';
import { closedNames } from './closed-names.ts';
import { tracingSettings } from './tracing-settings.ts';

/*
 * Everything that can be set, with its default, its environment variable and its meaning: the one source for parsing,
 * for errors and for docs/configuration.md. Values come from, in rising order of precedence: the defaults, the
 * configuration file, the environment, the options given in code.
 */

// The sections of capabilities, whose keys and types do not survive a loop over the list.
const sections = Object.assign(
  {},
  ...(capabilities as readonly Capability[]).map(({ configuration = {} }) => configuration),
) as Contributed<'configuration'>;

const roles = ['api', 'worker', 'maintenance'] as const;

export const configurationSchema = z.strictObject({
  roles: setting(commaList(z.enum(roles)).default([...roles]), {
    env: 'MILLRACE_ROLES',
    help: 'What this process does: `api`, `worker`, `maintenance`, separated by commas.',
  }),
  dataDirectory: setting(z.string().min(1).default('.millrace'), {
    env: 'MILLRACE_DATA_DIRECTORY',
    help: 'Where everything is stored that has no server of its own: ledger, usage records, payloads.',
  }),
  http: z
    .strictObject({
      host: setting(z.string().min(1).default('127.0.0.1'), {
        env: 'MILLRACE_HTTP_HOST',
        help: 'Address to listen on.',
      }),
      port: setting(wholeNumber(0, 65_535).default(8080), {
        env: 'MILLRACE_HTTP_PORT',
        help: 'Port to listen on; 0 for any free one.',
      }),
      auth: setting(z.enum(['keys', 'none']).default('keys'), {
        env: 'MILLRACE_HTTP_AUTH',
        help: '`keys`: every API call needs an API key. `none`: open, only on a loopback address.',
      }),
      metricsPort: setting(wholeNumber(0, 65_535).optional(), {
        env: 'MILLRACE_HTTP_METRICS_PORT',
        help: 'A port of its own for `/metrics` and `/health`; `/metrics` is then not served on the first. 0 for any free one.',
      }),
      limits: z
        .strictObject({
          concurrentRequests: setting(wholeNumber(1, 100_000).default(500), {
            env: 'MILLRACE_HTTP_CONCURRENT_REQUESTS',
            help: 'API requests in progress at once; one more is answered 503 with Retry-After.',
          }),
          concurrentRequestsPerKey: setting(wholeNumber(1, 100_000).optional(), {
            env: 'MILLRACE_HTTP_CONCURRENT_REQUESTS_PER_KEY',
            help: 'Of these, by one API key; one more is answered 429 with Retry-After. Default a fifth of them.',
          }),
          bodyTimeoutMs: setting(wholeNumber(100, 3_600_000).default(20_000), {
            env: 'MILLRACE_HTTP_BODY_TIMEOUT_MS',
            help: 'How long the body of a request may take to arrive whole, after its headers; then it is answered 408.',
          }),
          uploadTimeoutMs: setting(wholeNumber(1000, 86_400_000).default(3_600_000), {
            env: 'MILLRACE_HTTP_UPLOAD_TIMEOUT_MS',
            help: 'How long the body of an upload may take, such as the items of a batch; one of which nothing arrives for `http.limits.bodyTimeoutMs` is answered 408 sooner.',
          }),
          bodyBytesInFlight: setting(wholeNumber(65_536, 68_719_476_736).default(268_435_456), {
            env: 'MILLRACE_HTTP_BODY_BYTES_IN_FLIGHT',
            help: 'Bytes of request bodies in memory at once; what goes beyond is answered 503 with Retry-After.',
          }),
          bodyBytes: setting(wholeNumber(1024, 1_073_741_824).default(16_777_216), {
            env: 'MILLRACE_HTTP_BODY_BYTES',
            help: 'The largest body of a request with messages: a whole batch.',
          }),
          eventBytes: setting(wholeNumber(1024, 268_435_456).default(4_194_304), {
            env: 'MILLRACE_HTTP_EVENT_BYTES',
            help: 'The largest event, alone or in a batch. It is parsed in one piece, which holds the event loop: `bench/door.ts` shows for how long.',
          }),
          jsonValues: setting(wholeNumber(100, 10_000_000).default(100_000), {
            env: 'MILLRACE_HTTP_JSON_VALUES',
            help: 'JSON values in one event. A million holds the event loop for half a second.',
          }),
          jsonKeys: setting(wholeNumber(100, 10_000_000).default(20_000), {
            env: 'MILLRACE_HTTP_JSON_KEYS',
            help: 'Members of objects in one event. Names that all differ take ten times as long to parse as values.',
          }),
          requestsPerMinute: setting(wholeNumber(1, 100_000_000).default(60_000), {
            env: 'MILLRACE_HTTP_REQUESTS_PER_MINUTE',
            help: 'Requests of one API key to one route in a minute, by process; one more is answered 429 with Retry-After.',
          }),
          concurrentReports: setting(wholeNumber(1, 1_000).default(4), {
            env: 'MILLRACE_HTTP_CONCURRENT_REPORTS',
            help: 'Cost reports that are made at once; others wait, and are answered 503 when too many do.',
          }),
          concurrentReportsPerKey: setting(wholeNumber(1, 1_000).optional(), {
            env: 'MILLRACE_HTTP_CONCURRENT_REPORTS_PER_KEY',
            help: 'Of these, for one API key; others of it wait, and are answered 429 when too many do. Default half of them.',
          }),
        })
        .prefault({}),
    })
    .prefault({}),
  ledger: z
    .strictObject({
      url: setting(urlOf('postgres:', 'postgresql:').trim().optional(), {
        env: 'MILLRACE_POSTGRES_URL',
        help: 'PostgreSQL for the ledger. Without it the ledger is embedded (PGlite).',
        secret: true,
      }),
      poolSize: setting(wholeNumber(2, 200).default(8), {
        env: 'MILLRACE_POSTGRES_POOL_SIZE',
        help: 'Connections of this process to PostgreSQL, and two more for claims.',
      }),
      statementTimeoutMs: setting(wholeNumber(100, 600_000).default(15_000), {
        env: 'MILLRACE_POSTGRES_STATEMENT_TIMEOUT_MS',
        help: 'How long a statement may take.',
      }),
      pooled: setting(onOff.default(false), {
        env: 'MILLRACE_POSTGRES_POOLED',
        help: 'Whether a pooler in transaction mode, such as pgbouncer, is between Millrace and PostgreSQL: nothing is prepared, and the role has the settings of the session (docs/deploys.md).',
      }),
    })
    .prefault({}),
  queue: z
    .strictObject({
      url: setting(urlOf('redis:', 'rediss:', 'postgres:', 'postgresql:').trim().optional(), {
        env: 'MILLRACE_QUEUE_URL',
        help: 'Redis (or PostgreSQL) for the queues. Without it they are in the memory of the process.',
        secret: true,
      }),
      prefix: setting(
        z
          .string()
          .regex(/^[a-z0-9_-]+$/)
          .default('millrace'),
        {
          env: 'MILLRACE_QUEUE_PREFIX',
          help: 'Distinguishes installations that share a Redis. Redis Cluster is not supported.',
        },
      ),
    })
    .prefault({}),
  columnStore: z
    .strictObject({
      url: setting(urlOf('http:', 'https:').optional(), {
        env: 'MILLRACE_CLICKHOUSE_URL',
        help: 'ClickHouse over HTTP for usage records. Without it they are embedded (chDB).',
      }),
      user: setting(z.string().default('default'), {
        env: 'MILLRACE_CLICKHOUSE_USER',
        help: 'ClickHouse user.',
      }),
      password: setting(secretText.default(''), {
        env: 'MILLRACE_CLICKHOUSE_PASSWORD',
        help: 'ClickHouse password.',
        secret: true,
      }),
      database: setting(
        z
          .string()
          .regex(/^[a-z_][a-z0-9_]*$/)
          .default('millrace'),
        {
          env: 'MILLRACE_CLICKHOUSE_DATABASE',
          help: 'ClickHouse database.',
        },
      ),
      cluster: setting(
        z
          .string()
          .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/)
          .optional(),
        {
          env: 'MILLRACE_CLICKHOUSE_CLUSTER',
          help: 'ClickHouse cluster: tables are made replicated, ON CLUSTER.',
        },
      ),
    })
    .prefault({}),
  payloads: z
    .strictObject({
      bucket: setting(z.string().min(3).optional(), {
        env: 'MILLRACE_S3_BUCKET',
        help: 'S3 bucket for large bodies. Without it they are files in the data directory.',
      }),
      endpoint: setting(urlOf('http:', 'https:').optional(), {
        env: 'MILLRACE_S3_ENDPOINT',
        help: 'S3-compatible endpoint; without it AWS.',
      }),
      region: setting(z.string().default('us-east-1'), { env: 'MILLRACE_S3_REGION', help: 'S3 region.' }),
      accessKeyId: setting(secretText.optional(), {
        env: 'MILLRACE_S3_ACCESS_KEY_ID',
        help: 'S3 access key; without it the AWS default chain.',
        secret: true,
      }),
      secretAccessKey: setting(secretText.optional(), {
        env: 'MILLRACE_S3_SECRET_ACCESS_KEY',
        help: 'S3 secret key.',
        secret: true,
      }),
    })
    .prefault({}),
  messages: z
    .strictObject({
      inlineBytes: setting(wholeNumber(0, 1_048_576).default(65_536), {
        env: 'MILLRACE_MESSAGE_INLINE_BYTES',
        help: 'Message data up to this size is stored in the ledger, larger data in the payload store.',
      }),
      maxBytes: setting(wholeNumber(1024, 536_870_912).default(16_777_216), {
        env: 'MILLRACE_MESSAGE_MAX_BYTES',
        help: 'Message data above this size is refused.',
      }),
      maxDepth: setting(wholeNumber(8, 1000).default(128), {
        env: 'MILLRACE_MESSAGE_MAX_DEPTH',
        help: 'Message data with more levels of arrays and objects is refused.',
      }),
      maxHops: setting(wholeNumber(1, 10_000).default(100), {
        env: 'MILLRACE_MESSAGE_MAX_HOPS',
        help: 'A message that follows from its admitted one over more emissions is a dead letter: stages that emit to each other in a circle are stopped.',
      }),
    })
    .prefault({}),
  models: modelSettings,
  ...sections,
  worker: z
    .strictObject({
      concurrency: setting(wholeNumber(1, 10_000).optional(), {
        env: 'MILLRACE_WORKER_CONCURRENCY',
        help: 'How many messages of a stage this process works on at once, instead of what each stage says.',
      }),
    })
    .prefault({}),
  exporter: z
    .strictObject({
      intervalMs: setting(wholeNumber(10, 600_000).default(1000), {
        env: 'MILLRACE_EXPORT_INTERVAL_MS',
        help: 'Pause between two exports of usage records when there is nothing to do.',
      }),
      batchRows: setting(wholeNumber(1, 1_000_000).default(20_000), {
        env: 'MILLRACE_EXPORT_BATCH_ROWS',
        help: 'The most usage records in one export batch.',
      }),
      pendingRecordsBound: setting(wholeNumber(1, 1_000_000_000).default(5_000_000), {
        env: 'MILLRACE_EXPORT_PENDING_BOUND',
        help: 'Records that may wait in the ledger for ClickHouse before that counts as full. Nothing is refused: they wait on, and an alert says so.',
      }),
    })
    .prefault({}),
  sweeper: z
    .strictObject({
      intervalMs: setting(wholeNumber(50, 60_000).default(1000), {
        env: 'MILLRACE_SWEEP_INTERVAL_MS',
        help: 'Pause between two looks for forgotten messages.',
      }),
    })
    .prefault({}),
  retention: z
    .strictObject({
      finishedDays: setting(wholeNumber(1, 3650).default(30), {
        env: 'MILLRACE_RETENTION_DAYS',
        help: 'Completed messages and settled calls leave the ledger after this many days; usage records stay in ClickHouse.',
      }),
      exportedDays: setting(wholeNumber(1, 3650).default(7), {
        env: 'MILLRACE_RETENTION_EXPORT_DAYS',
        help: 'Records of finished exports leave the ledger after this many days.',
      }),
    })
    .prefault({}),
  startup: z
    .strictObject({
      migrate: setting(z.stringbool().or(z.boolean()).default(true), {
        env: 'MILLRACE_STARTUP_MIGRATE',
        help: 'Whether a start brings the schemas up to date. `false`: it is refused while migrations are pending.',
      }),
      allow: setting(commaList(z.enum(closedNames.findings)).optional(), {
        env: 'MILLRACE_STARTUP_ALLOW',
        help: 'Codes of start-up findings that only warn though they are fatal, separated by commas (docs/deploys.md).',
      }),
    })
    .prefault({}),
  shutdownGraceMs: setting(wholeNumber(0, 3_600_000).default(20_000), {
    env: 'MILLRACE_SHUTDOWN_GRACE_MS',
    help: 'How long running handlers may go on after SIGTERM. In the last quarter, at most 5 s, their signal is aborted; one that has not returned by the end is abandoned, and its message is released.',
  }),
  logging: z
    .strictObject({
      level: setting(z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'), {
        env: 'MILLRACE_LOG_LEVEL',
        help: 'The least level that is logged.',
      }),
    })
    .prefault({}),
  tracing: tracingSettings,
});

/** The checked configuration. */
export type Configuration = z.output<typeof configurationSchema>;
/** What may be given in code or in a file: every setting is optional. */
export type ConfigurationInput = z.input<typeof configurationSchema>;
