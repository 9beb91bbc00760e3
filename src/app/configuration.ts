import { z } from 'zod';
import { originName } from '../messages/origin.ts';
import { findingCodes } from './startup-checks.ts';

/*
 * Everything that can be set, with its default, its environment variable and its meaning: the one source for parsing,
 * for errors and for docs/configuration.md. Values come from, in rising order of precedence: the defaults, the
 * configuration file, the environment, the options given in code.
 */

/** Notes on a setting: the environment variable that sets it, and whether it must be hidden when shown. */
export interface SettingNotes {
  readonly env?: string;
  readonly help: string;
  readonly secret?: boolean;
}

function setting<Schema extends z.ZodType>(schema: Schema, notes: SettingNotes): Schema {
  return schema.meta({ ...notes });
}

const wholeNumber = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const positiveAmount = z
  .string()
  .regex(/^\d+(\.\d+)?$/, 'must be a decimal amount')
  .refine((text) => /[1-9]/.test(text), 'must be above 0');
const urlOf = (...protocols: readonly string[]) =>
  z
    .string()
    .refine(
      (text) => URL.canParse(text) && protocols.includes(new URL(text).protocol),
      `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    );
const commaList = <Item extends z.ZodType>(item: Item) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value),
    z.array(item).min(1),
  );

const onOff = z.union([z.boolean(), z.stringbool()]);
const modelReference = z.string().regex(/^[^/\s]+\/\S+$/, 'must be a model, as in openai/gpt-5-mini');

const roles = ['api', 'worker', 'relay'] as const;

const providerSchema = z.strictObject({
  kind: z.enum(['openai', 'anthropic', 'openai-compatible']),
  baseUrl: urlOf('http:', 'https:').optional(),
  apiKey: z.string().min(1).optional(),
  /** Which of OpenAI's endpoints chat models use. */
  api: z.enum(['responses', 'chat']).optional(),
  /** The catalogue provider whose prices apply, when it is not the provider's own name. */
  priceProvider: z.string().min(1).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  timeoutMs: wholeNumber(100, 3_600_000).optional(),
  /** Sends the call's and message's ids as request headers: for a provider of one's own, such as the simulator. */
  identify: z.boolean().optional(),
});

const limitProblem = 'must be an amount above 0 as text, such as "50.00"';

const budgetSchema = z.strictObject({
  name: z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9._-]{0,62}$/,
      'must be 1 to 63 lower-case letters, digits, dots, dashes, underscores',
    ),
  team: originName.optional(),
  customer: originName.optional(),
  feature: originName.optional(),
  window: z.enum(['hour', 'day', 'week', 'month']),
  limitUsd: z.string(limitProblem).regex(/^(?=.*[1-9])\d{1,15}(\.\d{1,18})?$/, limitProblem),
  atLimit: z.enum(['park', 'refuse']).default('park'),
  unpriced: z.enum(['refuse', 'allow']).default('refuse'),
});
const modelLimitSchema = z
  .strictObject({
    requestsPerMinute: wholeNumber(1, 1_000_000_000).optional(),
    tokensPerMinute: wholeNumber(1, 1_000_000_000_000).optional(),
  })
  .refine(
    (limit) => limit.requestsPerMinute !== undefined || limit.tokensPerMinute !== undefined,
    'names requestsPerMinute, tokensPerMinute or both',
  );

export const configurationSchema = z.strictObject({
  roles: setting(commaList(z.enum(roles)).default([...roles]), {
    env: 'MILLRACE_ROLES',
    help: 'What this process does: `api`, `worker`, `relay`, separated by commas.',
  }),
  dataDirectory: setting(z.string().min(1).default('.millrace'), {
    env: 'MILLRACE_DATA_DIRECTORY',
    help: 'Where everything lies that has no server of its own: ledger, usage records, payloads.',
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
    })
    .prefault({}),
  ledger: z
    .strictObject({
      url: setting(urlOf('postgres:', 'postgresql:').optional(), {
        env: 'MILLRACE_POSTGRES_URL',
        help: 'PostgreSQL for the ledger. Without it the ledger is embedded (PGlite).',
        secret: true,
      }),
      poolSize: setting(wholeNumber(2, 200).default(8), {
        env: 'MILLRACE_POSTGRES_POOL_SIZE',
        help: 'Connections of this process to PostgreSQL.',
      }),
      statementTimeoutMs: setting(wholeNumber(100, 600_000).default(15_000), {
        env: 'MILLRACE_POSTGRES_STATEMENT_TIMEOUT_MS',
        help: 'How long a statement may take.',
      }),
    })
    .prefault({}),
  queue: z
    .strictObject({
      url: setting(urlOf('redis:', 'rediss:', 'postgres:', 'postgresql:').optional(), {
        env: 'MILLRACE_QUEUE_URL',
        help: 'Redis (or PostgreSQL) for the queues. Without it they are embedded.',
        secret: true,
      }),
      prefix: setting(
        z
          .string()
          .regex(/^[a-z0-9_-]+$/)
          .default('millrace'),
        {
          env: 'MILLRACE_QUEUE_PREFIX',
          help: 'Distinguishes installations that share a Redis.',
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
      password: setting(z.string().default(''), {
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
      accessKeyId: setting(z.string().optional(), {
        env: 'MILLRACE_S3_ACCESS_KEY_ID',
        help: 'S3 access key; without it the AWS default chain.',
        secret: true,
      }),
      secretAccessKey: setting(z.string().optional(), {
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
        help: 'Message data up to this size lies in the ledger, larger data in the payload store.',
      }),
      maxBytes: setting(wholeNumber(1024, 536_870_912).default(16_777_216), {
        env: 'MILLRACE_MESSAGE_MAX_BYTES',
        help: 'Message data above this size is refused.',
      }),
    })
    .prefault({}),
  models: z
    .strictObject({
      providers: setting(z.record(z.string().regex(/^[a-z][a-z0-9-]*$/), providerSchema).default({}), {
        help: 'Providers by the name that stands before the slash in `provider/model`. `openai` and `anthropic` exist when their API keys are set.',
      }),
      limits: setting(z.record(z.string().regex(/^[a-z][a-z0-9-]*\/.+$/), modelLimitSchema).default({}), {
        help: 'What all processes together may ask of a model each minute, by `provider/model`, or `provider/*` for each other model of the provider: `requestsPerMinute`, `tokensPerMinute`.',
      }),
      openaiApiKey: setting(z.string().min(1).optional(), {
        env: 'OPENAI_API_KEY',
        help: "Makes the provider `openai` with OpenAI's endpoint.",
        secret: true,
      }),
      anthropicApiKey: setting(z.string().min(1).optional(), {
        env: 'ANTHROPIC_API_KEY',
        help: "Makes the provider `anthropic` with Anthropic's endpoint.",
        secret: true,
      }),
      priceOverlay: setting(z.string().min(1).optional(), {
        env: 'MILLRACE_PRICE_OVERLAY',
        help: 'Path of a price overlay file (docs/prices.md).',
      }),
      inlineAnswerBytes: setting(wholeNumber(0, 8_388_608).default(262_144), {
        env: 'MILLRACE_ANSWER_INLINE_BYTES',
        help: 'Recorded answers up to this size lie in the ledger, larger ones in the payload store.',
      }),
      breaker: z
        .strictObject({
          enabled: setting(onOff.default(true), {
            env: 'MILLRACE_BREAKER',
            help: 'Whether a model that fails is left alone for a while (docs/runbooks/provider.md#circuit).',
          }),
          errorShare: setting(z.coerce.number().gt(0).max(1).default(0.5), {
            env: 'MILLRACE_BREAKER_ERROR_SHARE',
            help: "The share of failures and time-outs at which a model's circuit opens.",
          }),
          minRequests: setting(wholeNumber(1, 1_000_000).default(20), {
            env: 'MILLRACE_BREAKER_MIN_REQUESTS',
            help: 'Requests of all processes in the window before that share is judged.',
          }),
          windowMs: setting(wholeNumber(10_000, 3_600_000).default(30_000), {
            env: 'MILLRACE_BREAKER_WINDOW_MS',
            help: 'The window that failures are counted in, in steps of ten seconds.',
          }),
          openMs: setting(wholeNumber(100, 3_600_000).default(15_000), {
            env: 'MILLRACE_BREAKER_OPEN_MS',
            help: 'How long a circuit stays open before probes are sent. Doubles with every failed probe.',
          }),
          maxOpenMs: setting(wholeNumber(100, 86_400_000).default(300_000), {
            env: 'MILLRACE_BREAKER_MAX_OPEN_MS',
            help: 'The longest that a circuit stays open between two tries.',
          }),
          probes: setting(wholeNumber(1, 100).default(3), {
            env: 'MILLRACE_BREAKER_PROBES',
            help: 'How many probes must succeed to close a circuit; no more are sent at once.',
          }),
        })
        .prefault({}),
      retryBudget: z
        .strictObject({
          enabled: setting(onOff.default(true), {
            env: 'MILLRACE_RETRY_BUDGET',
            help: 'Whether the retries of a model are limited (docs/runbooks/provider.md#retries).',
          }),
          share: setting(z.coerce.number().min(0).max(10).default(0.2), {
            env: 'MILLRACE_RETRY_BUDGET_SHARE',
            help: 'Retries that are permitted for each first attempt in the window, over all processes.',
          }),
          floor: setting(wholeNumber(1, 1_000_000).default(30), {
            env: 'MILLRACE_RETRY_BUDGET_FLOOR',
            help: 'Retries of a model in the window that are permitted besides.',
          }),
          windowMs: setting(wholeNumber(10_000, 3_600_000).default(60_000), {
            env: 'MILLRACE_RETRY_BUDGET_WINDOW_MS',
            help: 'The window that attempts are counted in, in steps of ten seconds.',
          }),
        })
        .prefault({}),
      fallbacks: setting(z.record(modelReference, modelReference).default({}), {
        help: 'Language models that are asked in the place of others while the circuit of those is not closed: `{ "openai/gpt-5-mini": "anthropic/claude-haiku-4-5" }`.',
      }),
    })
    .prefault({}),
  budgets: setting(z.array(budgetSchema).max(200).default([]), {
    help: 'Limits in US dollars over what teams, customers, features or any combination of them spend in a calendar window (UTC): `{name, team?, customer?, feature?, window: hour | day | week | month, limitUsd: "50.00", atLimit: park | refuse, unpriced: refuse | allow}` (docs/budgets.md). Give all processes the same: those of the process that started last hold.',
  }),
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
      pauseMs: setting(wholeNumber(10, 600_000).default(1000), {
        env: 'MILLRACE_EXPORT_PAUSE_MS',
        help: 'Pause between two exports of usage records when there is nothing to do.',
      }),
      batchRows: setting(wholeNumber(1, 1_000_000).default(20_000), {
        env: 'MILLRACE_EXPORT_BATCH_ROWS',
        help: 'The most usage records in one export batch.',
      }),
    })
    .prefault({}),
  costs: z
    .strictObject({
      baseline: z
        .strictObject({
          pauseMs: setting(wholeNumber(1000, 86_400_000).default(300_000), {
            env: 'MILLRACE_SPEND_BASELINE_PAUSE_MS',
            help: 'Pause between two comparisons of spend with what is usual.',
          }),
          days: setting(wholeNumber(1, 31).default(7), {
            env: 'MILLRACE_SPEND_BASELINE_DAYS',
            help: 'How many previous days say what is usual.',
          }),
          minimumDays: setting(wholeNumber(1, 31).default(2), {
            env: 'MILLRACE_SPEND_BASELINE_MINIMUM_DAYS',
            help: 'A team, customer or feature with fewer days of history is not compared.',
          }),
          hourFloorUsd: setting(positiveAmount.default('1'), {
            env: 'MILLRACE_SPEND_BASELINE_HOUR_FLOOR_USD',
            help: 'The least that counts as usual in an hour, in dollars: spend below it is never too high.',
          }),
          dayFloorUsd: setting(positiveAmount.default('5'), {
            env: 'MILLRACE_SPEND_BASELINE_DAY_FLOOR_USD',
            help: 'The same for a day so far.',
          }),
        })
        .prefault({}),
    })
    .prefault({}),
  sweeper: z
    .strictObject({
      pauseMs: setting(wholeNumber(50, 60_000).default(1000), {
        env: 'MILLRACE_SWEEP_PAUSE_MS',
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
      allow: setting(commaList(z.enum(findingCodes)).optional(), {
        env: 'MILLRACE_STARTUP_ALLOW',
        help: 'Codes of start-up findings that only warn though they are fatal, separated by commas (docs/deploys.md).',
      }),
    })
    .prefault({}),
  shutdownGraceMs: setting(wholeNumber(0, 3_600_000).default(20_000), {
    env: 'MILLRACE_SHUTDOWN_GRACE_MS',
    help: 'How long running handlers may go on after SIGTERM before they are stopped and handed back.',
  }),
  logging: z
    .strictObject({
      level: setting(z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'), {
        env: 'MILLRACE_LOG_LEVEL',
        help: 'The least level that is logged.',
      }),
    })
    .prefault({}),
  tracing: z
    .strictObject({
      endpoint: setting(urlOf('http:', 'https:').optional(), {
        env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
        help: 'OTLP/HTTP endpoint that spans are sent to. Without it none are recorded.',
      }),
      sampleRatio: setting(z.coerce.number().min(0).max(1).default(1), {
        env: 'MILLRACE_TRACE_SAMPLE_RATIO',
        help: 'Share of traces that are recorded.',
      }),
    })
    .prefault({}),
});

/** The checked configuration. */
export type Configuration = z.output<typeof configurationSchema>;
/** What may be given in code or in a file: every setting is optional. */
export type ConfigurationInput = z.input<typeof configurationSchema>;
