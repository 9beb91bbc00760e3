import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

/* The import rules are tried on a small tree that breaks each of them, and on one that keeps them all. */

const root = join(import.meta.dirname, '..', '..');
const cruiser = join(root, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruiser.mjs');
const resultSchema = z.object({
  summary: z.object({
    violations: z.array(z.object({ from: z.string(), rule: z.object({ name: z.string() }) })),
  }),
});

const targets = {
  'src/kernel/clock.ts': '',
  'src/messages/origin.ts': '',
  'src/pricing/price.ts': '',
  'src/drivers/queue/queue.ts': '',
  'src/drivers/queue/queue.redis.ts': '',
  'src/engine/ledger/ledger.ts': '',
  'src/engine/export/usage.ts': '',
  'src/engine/calls/model.ts': '',
  'src/engine/pipeline/runner.ts': '',
  'src/http/caller.ts': '',
  'src/capabilities/costs/costs.ts': '',
  'src/host/host.ts': '',
  'src/simulator/simulator.ts': '',
  'src/millrace.ts': '',
  'src/client.ts': '',
  'src/client/client.ts': '',
  'test/support/stores.ts': '',
  'dashboards/charts.ts': '',
  'dashboards/all-boards.ts': '',
  'src/capabilities/costs/costs.board.ts': '',
  'src/testing/scripted-model.ts': '',
  'src/engine/ledger/ledger.test.ts': '',
};

const broken: readonly (readonly [file: string, imported: string, rule: string])[] = [
  ['src/kernel/up.ts', '../messages/origin.ts', 'downward-only-kernel'],
  ['src/messages/sideways.ts', '../pricing/price.ts', 'downward-only-messages'],
  ['src/telemetry/sideways.ts', '../pricing/price.ts', 'downward-only-telemetry'],
  ['src/engine/ledger/up.ts', '../../capabilities/costs/costs.ts', 'downward-only-engine'],
  ['src/engine/ledger/sideways.ts', '../export/usage.ts', 'engine-downward-only-ledger'],
  ['src/engine/export/up.ts', '../calls/model.ts', 'engine-downward-only-export'],
  ['src/engine/calls/up.ts', '../pipeline/runner.ts', 'engine-downward-only-calls'],
  ['src/engine/parked.ts', './ledger/ledger.ts', 'engine-files-import-no-folder-of-it'],
  ['src/engine/calls/scripted.ts', '../../testing/scripted-model.ts', 'downward-only-engine'],
  ['src/http/up.ts', '../capabilities/costs/costs.ts', 'downward-only-http'],
  ['src/terminal/sideways.ts', '../http/caller.ts', 'downward-only-terminal'],
  ['src/capabilities/costs/up.ts', '../../host/host.ts', 'downward-only-capabilities'],
  ['src/capabilities/budgets/sideways.ts', '../costs/costs.ts', 'capabilities-do-not-know-each-other'],
  [
    'src/engine/ledger/adapter.ts',
    '../../drivers/queue/queue.redis.ts',
    'adapters-only-in-the-composition-root',
  ],
  ['src/simulator/second.ts', '../pricing/price.ts', 'simulator-imports-kernel-only'],
  ['src/engine/calls/easy.ts', '../../simulator/simulator.ts', 'simulator-imported-from-the-edge-only'],
  ['src/engine/pipeline/face.ts', '../../millrace.ts', 'faces-are-not-imported-inside'],
  ['src/engine/pipeline/side-door.ts', '../../client.ts', 'faces-are-not-imported-inside'],
  ['src/client/time.ts', '../kernel/clock.ts', 'client-stands-alone'],
  ['src/client/socket.ts', 'node:net', 'client-stands-alone'],
  ['src/client/schema.ts', 'zod', 'client-stands-alone'],
  ['src/capabilities/costs/ask.ts', '../../client/client.ts', 'client-is-not-imported-inside'],
  ['src/host/borrow.ts', '../../test/support/stores.ts', 'source-stands-alone'],
  ['src/host/show.ts', '../../dashboards/charts.ts', 'source-stands-alone'],
  ['src/host/serve.ts', '../capabilities/costs/costs.board.ts', 'boards-are-not-imported-inside'],
  ['src/capabilities/costs/all.board.ts', '../../../dashboards/all-boards.ts', 'boards-stand-on-dashboards'],
  ['src/capabilities/costs/up.board.ts', '../../host/host.ts', 'downward-only-capabilities'],
  [
    'src/capabilities/budgets/sideways.board.ts',
    '../costs/costs.board.ts',
    'capabilities-do-not-know-each-other',
  ],
  ['src/engine/ledger/reuse.ts', './ledger.test.ts', 'tests-are-not-imported'],
  ['src/engine/ledger/sql.ts', 'pg', 'package-pg'],
  ['src/engine/ledger/wire.ts', 'pg-protocol/dist/parser.js', 'package-pg'],
  ['src/engine/ledger/lite.ts', '@electric-sql/pglite', 'package-pglite'],
  ['src/engine/pipeline/job.ts', 'bullmq', 'package-bullmq'],
  ['src/engine/export/click.ts', '@clickhouse/client', 'package-clickhouse'],
  ['src/engine/pipeline/store.ts', '@aws-sdk/client-s3', 'package-aws'],
  ['src/capabilities/costs/money.ts', 'decimal.js', 'package-decimal'],
  ['src/engine/calls/prices.ts', '@pydantic/genai-prices', 'package-prices'],
  ['src/engine/pipeline/count.ts', 'tiktoken', 'package-tokens'],
  ['src/capabilities/limits/generate.ts', 'ai', 'package-ai'],
  ['src/engine/ledger/metric.ts', 'prom-client', 'package-telemetry'],
  ['src/engine/calls/sdk.ts', '@opentelemetry/context-async-hooks', 'package-opentelemetry-sdk'],
  ['src/capabilities/costs/span.ts', '@opentelemetry/api', 'package-opentelemetry-api'],
  ['src/host/command.ts', 'commander', 'package-commander'],
  ['src/engine/pipeline/http.ts', 'fastify', 'package-http'],
  ['src/host/check.ts', 'fast-check', 'no-development-packages-in-source'],
  ['src/host/gone.ts', './nowhere.ts', 'no-unresolvable'],
];

const kept: readonly (readonly [file: string, imported: string])[] = [
  ['src/drivers/queue/port.ts', '../../messages/origin.ts'],
  ['src/telemetry/fields.ts', '../messages/origin.ts'],
  ['src/engine/pipeline/down.ts', '../ledger/ledger.ts'],
  ['src/engine/ledger/words.ts', '../parked.ts'],
  ['src/capabilities/costs/down.ts', '../../engine/export/usage.ts'],
  ['src/capabilities/costs/beside.ts', './costs.ts'],
  ['src/host/compose.ts', '../drivers/queue/queue.redis.ts'],
  ['src/host/demo.ts', '../simulator/simulator.ts'],
  ['src/cli/start.ts', '../host/host.ts'],
  ['src/simulator/clock.ts', '../kernel/clock.ts'],
  ['src/engine/ledger/beside.test.ts', '../../drivers/queue/queue.redis.ts'],
  ['src/engine/ledger/support.test.ts', '../../../test/support/stores.ts'],
  ['src/engine/calls/scripted.test.ts', '../../testing/scripted-model.ts'],
  ['src/drivers/sql-database/sql.ts', 'pg'],
  ['src/drivers/queue/pool.ts', 'pg'],
  ['src/drivers/sql-database/wire.ts', 'pg-protocol/dist/parser.js'],
  ['src/kernel/money.ts', 'decimal.js'],
  ['src/engine/calls/generate.ts', 'ai'],
  ['src/testing.ts', 'ai'],
  ['src/client/request.ts', './client.ts'],
  ['src/client/signed.test.ts', 'node:crypto'],
  ['src/engine/pipeline/span.ts', '@opentelemetry/api'],
  ['src/pricing/law.test.ts', 'fast-check'],
  ['src/capabilities/costs/draw.board.ts', '../../../dashboards/charts.ts'],
  ['src/capabilities/costs/sdk.board.ts', '@grafana/grafana-foundation-sdk/stat'],
  ['dashboards/index-of-boards.ts', '../src/capabilities/costs/costs.board.ts'],
  ['examples/demo.ts', '../src/simulator/simulator.ts'],
];

let tree = '';
let violations: readonly (readonly [string, string])[] = [];

beforeAll(async () => {
  tree = await mkdtemp(join(tmpdir(), 'millrace-boundaries-'));
  for (const name of ['package.json', 'tsconfig.json', '.dependency-cruiser.mjs']) {
    await cp(join(root, name), join(tree, name));
  }
  await symlink(join(root, 'node_modules'), join(tree, 'node_modules'));
  const importing = [...broken, ...kept].map(
    ([file, imported]) => [file, `import '${imported}';\n`] as const,
  );
  const cycle = [
    ['src/kernel/first.ts', "import './second.ts';\n"],
    ['src/kernel/second.ts', "import './first.ts';\n"],
  ] as const;
  for (const [file, text] of [...Object.entries(targets), ...importing, ...cycle]) {
    await mkdir(dirname(join(tree, file)), { recursive: true });
    await writeFile(join(tree, file), text);
  }
  const args = [
    cruiser,
    '--config',
    '.dependency-cruiser.mjs',
    '--output-type',
    'json',
    'src',
    'test',
    'examples',
  ];
  const run = promisify(execFile)(process.execPath, args, { cwd: tree, maxBuffer: 64 * 1024 * 1024 });
  const { stdout } = await run;
  const result = resultSchema.parse(JSON.parse(stdout));
  violations = result.summary.violations.map(({ from, rule }) => [from, rule.name] as const);
});

afterAll(() => rm(tree, { recursive: true, force: true }));

describe('the import rules', () => {
  it.each(broken)('refuse that %s imports %s', (file, _imported, rule) => {
    expect(violations).toContainEqual([file, rule]);
  });

  it.each(kept)('allow that %s imports %s', (file) => {
    expect(violations.filter(([from]) => from === file)).toEqual([]);
  });

  it('refuse a cycle', () => {
    expect(violations).toContainEqual(['src/kernel/first.ts', 'no-cycles']);
  });
});
