import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { withBatchFaults } from './batch-faults.ts';
import { describeFault, planFaults, withClickHouseAway } from './fault-plan.ts';
import { type FaultKind, tallyOf, tallyText } from './fault-tally.ts';
import { checkInvariants } from './invariants.ts';
import { runChaos } from './run-chaos.ts';
import { rowOf, rowsHeader, summaryOf, tableOf, violationsOf } from './chaos-report.ts';
import { queueKinds } from './queue-server.ts';
import { sabotages } from './sabotage.ts';

/*
 * The chaos suite from the command line. Exits with 0 when every invariant held, 1 when one did not, 2 when it was not
 * told what to do.
 */

const usage = `Runs a workload on the simulated provider, lets everything go wrong, and checks what is left.

  npm run chaos -- [options]

  --seed N            what the workload and the faults follow from (default 1)
  --seeds N           how many seeds, from --seed on (default 1)
  --messages M        how many messages are admitted; about four times as many are worked on (default 300)
  --stores KIND       embedded, or services: PostgreSQL, Redis and a ClickHouse of their own (default embedded)
  --queue KIND        on services, what the queue lies on: redis, or postgres, a second one (default redis)
  --faults N          how many faults strike (default 10 and one for 400 messages; on services
                      16 and one for 125)
  --workers N         on services, how many worker processes (default 2)
  --backlog           everything is admitted before the first worker starts, by a process that works on nothing
  --clickhouse-away S on services, ClickHouse is away for S seconds early in the run, under load all the while
  --batches off|on    whether batches are submitted beside the messages, a fifth as many items as messages (default on)
  --sabotage KIND     switches a protection off: ${sabotages.join(', ')}; the run must then fail
  --patience S        how many seconds after the last fault, and after the last message is due, all work must be done (default 120)
  --plan              prints what would strike, and does nothing
  --keep              keeps the run's directory (data, logs, evidence) even if all is well
  --help              prints this`;

function fail(problem: string): never {
  process.stderr.write(`${problem}\n\n${usage}\n`);
  process.exit(2);
}

function readOptions() {
  try {
    return parseArgs({
      options: {
        seed: { type: 'string', default: '1' },
        seeds: { type: 'string', default: '1' },
        messages: { type: 'string', default: '300' },
        stores: { type: 'string', default: 'embedded' },
        queue: { type: 'string' },
        faults: { type: 'string' },
        workers: { type: 'string' },
        backlog: { type: 'boolean', default: false },
        'clickhouse-away': { type: 'string' },
        batches: { type: 'string', default: 'on' },
        sabotage: { type: 'string' },
        patience: { type: 'string', default: '120' },
        plan: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

function wholeNumber(name: string, text: string, min: number): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= min
    ? value
    : fail(`--${name} is a whole number from ${min}, not "${text}"`);
}

const values = readOptions();
if (values.help) {
  process.stdout.write(`${usage}\n`);
  process.exit(0);
}
const firstSeed = wholeNumber('seed', values.seed, 0);
const seeds = wholeNumber('seeds', values.seeds, 1);
const messages = wholeNumber('messages', values.messages, 1);
const patienceMs = wholeNumber('patience', values.patience, 1) * 1000;
const stores =
  values.stores === 'embedded' || values.stores === 'services'
    ? values.stores
    : fail('--stores is embedded or services');
const queue = queueKinds.find((known) => known === (values.queue ?? 'redis'));
if (queue === undefined) fail(`--queue is one of ${queueKinds.join(', ')}`);
if (values.queue !== undefined && stores === 'embedded') fail('--queue is for --stores services');
for (const name of ['workers', 'clickhouse-away'] as const)
  if (values[name] !== undefined && stores === 'embedded') fail(`--${name} is for --stores services`);
if (values.backlog && stores === 'embedded') fail('--backlog is for --stores services');
const workers = wholeNumber('workers', values.workers ?? '2', 1);
const clickHouseAwayMs = wholeNumber('clickhouse-away', values['clickhouse-away'] ?? '0', 0) * 1000;
const sabotage = sabotages.find((known) => known === values.sabotage);
if (values.sabotage !== undefined && sabotage === undefined)
  fail(`--sabotage is one of ${sabotages.join(', ')}`);
const hasBatches = values.batches === 'on' || (values.batches !== 'off' && fail('--batches is off or on'));
const faults =
  values.faults === undefined
    ? stores === 'embedded'
      ? 10 + Math.round(messages / 400)
      : 16 + Math.round(messages / 125)
    : wholeNumber('faults', values.faults, 0);

function show(text: string): void {
  process.stdout.write(`${text}\n`);
}

let lastShownMs = 0;
function showProgress(text: string): void {
  if (!process.stderr.isTTY && performance.now() - lastShownMs < 5000) return;
  lastShownMs = performance.now();
  process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
}

let failed = 0;
const rows: string[] = [];
const struckInAll: FaultKind[] = [];
for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
  const ofMessages = planFaults({ seed, stores, faults, workers });
  const planned = hasBatches ? withBatchFaults(ofMessages, { seed, stores }) : ofMessages;
  const plan = clickHouseAwayMs === 0 ? planned : withClickHouseAway(planned, clickHouseAwayMs);
  if (values.plan) {
    for (const { atShare, fault } of plan)
      show(`${(atShare * 100).toFixed(1).padStart(5)} %  ${describeFault(fault)}`);
    continue;
  }
  const run = await runChaos({
    seed,
    messages,
    stores,
    queue,
    plan,
    workers,
    isBacklogFirst: values.backlog,
    hasBatches,
    // As long as it is away, and a while after.
    ...(clickHouseAwayMs === 0 ? {} : { admitOverMs: clickHouseAwayMs + 30_000 }),
    patienceMs,
    onProgress: showProgress,
    ...(sabotage === undefined ? {} : { sabotages: [sabotage] }),
  });
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  const results = checkInvariants(run.evidence);
  const repeat = [
    `npm run chaos -- --seed ${seed} --messages ${messages} --stores ${stores} --faults ${faults}`,
    ...(queue === 'redis' ? [] : [`--queue ${queue}`]),
    ...(values.workers === undefined ? [] : [`--workers ${workers}`]),
    ...(values.backlog ? ['--backlog'] : []),
    ...(hasBatches ? [] : ['--batches off']),
    ...(clickHouseAwayMs === 0 ? [] : [`--clickhouse-away ${clickHouseAwayMs / 1000}`]),
    ...(sabotage === undefined ? [] : [`--sabotage ${sabotage}`]),
  ].join(' ');
  const struck = run.struck.flatMap(({ kind }) => kind ?? []);
  struckInAll.push(...struck);
  show(`\nseed ${seed}, ${stores}: ${repeat}\n`);
  for (const { atMs, what } of run.struck) show(`${(atMs / 1000).toFixed(1).padStart(7)} s  ${what}`);
  show(`\n${summaryOf(run)}\n${tallyText(tallyOf(stores, struck))}\n\n${tableOf(results)}`);
  rows.push(rowOf(seed, messages, run, results));
  const violations = violationsOf(results, run.evidence);
  if (values.keep || violations !== '') show(`\nkept in ${run.directory}`);
  else rmSync(run.directory, { recursive: true, force: true });
  if (violations === '') continue;
  failed += 1;
  show(`\nseed ${seed} broke a promise:\n${violations}\n\nagain: ${repeat}`);
}
if (rows.length > 1)
  show(`\n${[...rowsHeader, ...rows].join('\n')}\n\nin all, ${tallyText(tallyOf(stores, struckInAll))}`);
process.exit(failed === 0 ? 0 : 1);
