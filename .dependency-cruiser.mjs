/*
 * Import boundaries, at error level. Imports run downward only, from a stratum to the ones before it;
 * capabilities do not know each other; a package is imported only by the folder that owns it;
 * concrete adapters are known to the composition root alone. The tree is described in ARCHITECTURE.md.
 */

const strata = [
  ['kernel'],
  ['messages', 'drivers', 'telemetry', 'pricing'],
  ['engine'],
  ['http', 'terminal'],
  ['capabilities'],
  ['host'],
  ['cli', 'testing'],
];

/** Inside the engine as well: a folder may import the ones before it. Files of the engine's own folder come first. */
const engineStrata = ['metrics', 'ledger', 'export', 'providers', 'calls', 'pipeline', 'maintenance'];

/** The few sideways imports inside one stratum: every one of them points at a vocabulary. */
const sideways = {
  drivers: ['messages'],
  telemetry: ['messages'],
};

/** Which source folders (regular expressions under the root) may import which packages. Tests beside the code may too. */
const owners = [
  {
    name: 'pg',
    packages: ['pg', 'pg-protocol'],
    folders: ['src/drivers/sql-database', 'src/drivers/queue', 'src/capabilities/triggers/source'],
  },
  {
    name: 'pglite',
    packages: ['@electric-sql/pglite'],
    folders: ['src/drivers/sql-database', 'src/drivers/queue'],
  },
  { name: 'bullmq', packages: ['bullmq'], folders: ['src/drivers/queue'] },
  {
    name: 'redis',
    packages: ['ioredis'],
    folders: [
      'src/drivers/queue',
      'src/drivers/event-log',
      'src/drivers/redis-connection',
      'src/capabilities/triggers/source',
    ],
  },
  {
    name: 'nestjs-bullmq',
    packages: ['@nestjs/bullmq'],
    folders: ['src/drivers/queue', 'src/host/millrace-queues.module.ts'],
  },
  {
    name: 'clickhouse',
    packages: ['@clickhouse/client', '@clickhouse/client-common', 'chdb'],
    folders: ['src/drivers/column-store'],
  },
  { name: 'aws', packages: ['@aws-sdk/[^/]+', '@smithy/[^/]+'], folders: ['src/drivers/payload-store'] },
  { name: 'decimal', packages: ['decimal.js'], folders: ['src/kernel/money.ts'] },
  { name: 'prices', packages: ['@pydantic/genai-prices'], folders: ['src/pricing'] },
  { name: 'tokens', packages: ['tiktoken'], folders: ['src/engine/providers'] },
  {
    name: 'providers',
    packages: ['@ai-sdk/(?!provider$|provider/)[^/]+', '@openrouter/[^/]+'],
    folders: ['src/engine/providers'],
  },
  {
    name: 'provider-batches',
    packages: ['openai', '@anthropic-ai/[^/]+'],
    folders: ['src/capabilities/batches/provider'],
  },
  // The interface of models, which handlers get and test kits give.
  {
    name: 'model-interface',
    packages: ['@ai-sdk/provider'],
    folders: ['src/engine', 'src/testing'],
  },
  { name: 'ai', packages: ['ai'], folders: ['src/engine', 'src/testing'] },
  { name: 'telemetry', packages: ['prom-client', 'pino'], folders: ['src/telemetry'] },
  {
    name: 'opentelemetry-sdk',
    packages: ['@opentelemetry/(?:sdk-[^/]+|exporter-[^/]+|resources|context-async-hooks)'],
    folders: ['src/telemetry'],
  },
  {
    name: 'opentelemetry-api',
    packages: ['@opentelemetry/api'],
    folders: ['src/telemetry', 'src/engine'],
  },
  {
    name: 'http',
    packages: ['nestjs-pino', 'pino-http', 'fastify', '@fastify/[^/]+', '@nestjs/platform-fastify'],
    folders: ['src/host'],
  },
  { name: 'negotiator', packages: ['negotiator'], folders: ['src/http'] },
  { name: 'items', packages: ['csv-parse', 'hyparquet'], folders: ['src/capabilities/batches/intake/input'] },
  { name: 'cron', packages: ['croner'], folders: ['src/capabilities/schedules/timing'] },
  { name: 'addresses', packages: ['ipaddr.js'], folders: ['src/capabilities/webhooks'] },
  { name: 'jose', packages: ['jose'], folders: ['src/capabilities/access'] },
  { name: 'commander', packages: ['commander'], folders: ['src/cli', 'src/terminal', 'src/capabilities'] },
];

const testBesideCode = '\\.test\\.ts$';
/** Boards and alert rules of capabilities: not part of what runs, as tests are not. */
const boardBesideCode = '\\.(?:board|alerts)\\.ts$';
const alternatives = (names) => `(?:${names.join('|')})`;
const escaped = (name) => name.replaceAll('.', '\\.');

/** For each folder: it may import itself, the strata below it, and its listed sideways neighbours. */
const downwardOnly = strata.flatMap((folders, level) =>
  folders.flatMap((folder) => {
    const below = strata.slice(0, level).flat();
    const allowed = [folder, ...below, ...(sideways[folder] ?? [])];
    const rule = {
      name: `downward-only-${folder}`,
      comment: `src/${folder} may import ${allowed.join(', ')} and nothing else of src (the simulator has its own rule).`,
      severity: 'error',
    };
    const to = (names) => ({ path: '^src/', pathNot: `^src/${alternatives([...names, 'simulator'])}/` });
    return [
      { ...rule, from: { path: `^src/${folder}/`, pathNot: testBesideCode }, to: to(allowed) },
      // Tests beside the code may use the scripted model of the test kit.
      { ...rule, from: { path: `^src/${folder}/.*${testBesideCode}` }, to: to([...allowed, 'testing']) },
    ];
  }),
);

/** For each folder of the engine: itself, the folders before it, and the engine's own files. */
const engineDownwardOnly = engineStrata.map((folder, level) => ({
  name: `engine-downward-only-${folder}`,
  comment: `src/engine/${folder} may import ${engineStrata.slice(0, level + 1).join(', ')} of the engine.`,
  severity: 'error',
  from: { path: `^src/engine/${folder}/` },
  to: { path: `^src/engine/${alternatives(engineStrata.slice(level + 1).concat('none'))}/` },
}));

const packageFences = owners.map(({ name, packages, folders }) => ({
  name: `package-${name}`,
  comment: `${packages.join(', ')}: only in ${folders.join(', ')}. Declare a port where it is needed and bind it in src/host.`,
  severity: 'error',
  from: { path: '^src/', pathNot: [testBesideCode, `^${alternatives(folders.map(escaped))}(?:/|\\.ts$|$)`] },
  to: { path: `(?:^|/)node_modules/(?:@types/)?${alternatives(packages)}/` },
}));

export default {
  forbidden: [
    ...downwardOnly,
    ...engineDownwardOnly,
    ...packageFences,
    {
      name: 'engine-files-import-no-folder-of-it',
      comment: 'What lies in src/engine itself is the vocabulary of its folders.',
      severity: 'error',
      from: { path: '^src/engine/[^/]+$', pathNot: testBesideCode },
      to: { path: '^src/engine/[^/]+/' },
    },
    {
      name: 'capabilities-do-not-know-each-other',
      comment:
        'A capability is whole in its folder. What two of them share is a port that one declares, or lies below them.',
      severity: 'error',
      from: { path: '^src/capabilities/([^/]+)/' },
      to: { path: '^src/capabilities/.+/', pathNot: '^src/capabilities/$1/' },
    },
    {
      name: 'no-cycles',
      comment: 'A cycle has no bottom to start reading from.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'adapters-only-in-the-composition-root',
      comment:
        'Which technology runs is decided in src/host, and for tests in src/testing; all other code sees the port.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(?:host|cli|drivers|testing)/', testBesideCode] },
      to: { path: '^src/drivers/.+/[^/.]+\\.[a-z0-9-]+\\.ts$', pathNot: testBesideCode },
    },
    {
      name: 'simulator-imports-kernel-only',
      comment: "The simulator's bill is a second opinion: it must not share code with what it judges.",
      severity: 'error',
      from: { path: '^src/simulator/' },
      to: { path: '^src/', pathNot: '^src/(?:simulator|kernel)/' },
    },
    {
      name: 'simulator-imported-from-the-edge-only',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(?:host|cli|simulator)/' },
      to: { path: '^src/simulator/' },
    },
    {
      name: 'client-stands-alone',
      comment:
        'millrace/client runs in browsers and on other runtimes: it may use the web platform, and no package, no module of Node and nothing else of src.',
      severity: 'error',
      from: { path: '^src/client(?:/|\\.ts$)', pathNot: testBesideCode },
      to: { pathNot: '^src/client/' },
    },
    {
      name: 'client-is-not-imported-inside',
      comment: 'The client library is for callers of Millrace.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/client(?:/|\\.ts$)', testBesideCode] },
      to: { path: '^src/client/' },
    },
    {
      name: 'faces-are-not-imported-inside',
      comment: 'main.ts, millrace.ts, testing.ts and client.ts are entry points for others.',
      severity: 'error',
      from: { path: '^src/.+/', pathNot: testBesideCode },
      to: { path: '^src/(?:main|millrace|testing|client)\\.ts$' },
    },
    {
      name: 'source-stands-alone',
      comment: 'src must not need tests, examples, benchmarks, boards or scripts.',
      severity: 'error',
      from: { path: '^src/', pathNot: [testBesideCode, boardBesideCode] },
      to: { path: '^(?:test|examples|bench|dashboards|scripts)/' },
    },
    {
      name: 'boards-stand-on-dashboards',
      comment:
        'Boards and alert rules of capabilities are written with what dashboards/ offers, and need nothing else beside src.',
      severity: 'error',
      from: { path: `^src/.*${boardBesideCode}` },
      to: {
        path: ['^(?:test|examples|bench|scripts)/', '^dashboards/(?:all-boards|alerts/rule-groups)\\.ts$'],
      },
    },
    {
      name: 'boards-are-not-imported-inside',
      comment: 'Boards and alert rules are for Grafana and Prometheus; what runs knows nothing of them.',
      severity: 'error',
      from: { path: '^src/', pathNot: [testBesideCode, boardBesideCode] },
      to: { path: `^src/.*${boardBesideCode}` },
    },
    {
      name: 'tests-are-not-imported',
      severity: 'error',
      from: { pathNot: testBesideCode },
      to: { path: testBesideCode },
    },
    {
      name: 'no-development-packages-in-source',
      comment: 'What src imports must be installed with the package, or be a peer that its user installs.',
      severity: 'error',
      from: { path: '^src/', pathNot: [testBesideCode, boardBesideCode] },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only', 'npm-peer'] },
    },
    {
      name: 'no-unlisted-packages',
      comment: 'Every imported package stands in package.json.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(?:dist|coverage|\\.millrace)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'require', 'default', 'types'],
      mainFields: ['module', 'main', 'types'],
    },
  },
};
