import { cpus, loadavg } from 'node:os';
import { generateText, streamText } from 'ai';
import type { LanguageModelV4 } from '@ai-sdk/provider';
import type { CallLedger } from '../src/engine/ledger/call-ledger.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { newId } from '../src/kernel/ids.ts';
import type { PayloadStore } from '../src/drivers/payload-store/payload-store.ts';
import { composeMeteredModels } from '../src/engine/calls/compose-metered-models.ts';
import { ProviderRegistry } from '../src/engine/providers/provider-registry.ts';
import { ScriptedModel } from '../src/testing/scripted-model.ts';
import { packagedPriceBook } from '../src/pricing/packaged-price-book.ts';
import { metricCatalogue } from '../src/host/metric-catalogue.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { benchOptions } from './bench-options.ts';
import { spreadOf, written } from './statistics.ts';

const help = `node bench/metered-model.ts [--calls 4000] [--rounds 5]

What metering costs: microseconds of processor time per call that the metered model adds to the AI SDK's generateText,
with an in-process model and a ledger that answers at once. The same calls without metering are the baseline, in the
same run, in turns; printed are medians of the rounds, with the least and the most. The ledger's own time is
bench/stage's affair.
`;

const flags = benchOptions(help, {
  calls: { type: 'string', default: '4000' },
  rounds: { type: 'string', default: '5' },
});
const calls = Number(flags.calls);
const rounds = Number(flags.rounds);
console.log(
  `${cpus().length} cores, load average ${(loadavg()[0] ?? Number.NaN).toFixed(2)} before the run; Node ${process.version}; ` +
    `medians (least to most) of ${rounds} rounds, processor time a call`,
);
const callsPerTurn = 10;

const prompt = `Summarise:\n${'The licence grants every recipient permission to copy and change the software. '.repeat(25)}`;
const answer = 'A permissive licence: copying and changing are allowed, without warranty. '.repeat(4);
const model = new ScriptedModel(() => {
  model.requests.length = 0;
  return { text: answer, usage: { uncachedInput: 500, textOutput: 60, reasoning: 20 } };
}, 'gpt-5-mini');

// A ledger that says yes: what is measured is the metered model itself, with the record it writes.
const answers: Pick<CallLedger, 'reserve' | 'settle'> = {
  reserve: () => Promise.resolve({ kind: 'reserved', at: new Date() }),
  settle: () => Promise.resolve(true),
};
const ledger = answers as CallLedger;

const meteredModels = composeMeteredModels({
  ledger,
  pricer: packagedPriceBook({ aliases: { scripted: 'openai' } }),
  registry: new ProviderRegistry({ scripted: { kind: 'custom', model: () => model } }),
  payloads: {} as PayloadStore,
  logger: {
    debug() {},
    info() {},
    warn() {},
    error() {},
    child: () => {
      throw new Error('unused');
    },
  },
  clock: systemClock,
  metrics: createMetrics(metricCatalogue),
});

async function metered(use: (model: LanguageModelV4) => Promise<void>): Promise<void> {
  const id = newId(systemClock.now());
  const scope = meteredModels.openScope({
    origin: { team: 'blue', customer: 'acme', feature: 'search', batch: 'b-1' },
    message: {
      id,
      rootId: id,
      fencingToken: 1,
      pipeline: 'default',
      stage: 'summarise',
      owner: 'platform',
      item: 'readme.md',
      traceParent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      deliveries: 1,
    },
    signal: new AbortController().signal,
  });
  try {
    await use(scope.languageModel('scripted/gpt-5-mini', { step: 'summary' }));
  } finally {
    await scope.close();
  }
}

const generate = async (used: LanguageModelV4): Promise<void> => {
  await generateText({ model: used, prompt });
};
const stream = async (used: LanguageModelV4): Promise<void> => {
  await streamText({ model: used, prompt }).text;
};
const direct = async (used: LanguageModelV4): Promise<void> => {
  await used.doGenerate({ prompt: [{ role: 'user', content: [{ type: 'text', text: prompt }] }] });
};

async function microsecondsPerCall(count: number, call: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  for (let index = 0; index < count; index += 1) {
    await call();
    // As in life, the event loop turns between calls; without it the engine keeps the SDK's weak references warm.
    if (index % callsPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

for (const [name, use, count] of [
  ['doGenerate', direct, calls],
  ['generateText', generate, calls],
  ['streamText', stream, Math.ceil(calls / 8)],
] as const) {
  await microsecondsPerCall(count, () => use(model));
  await microsecondsPerCall(count, () => metered(use));
  const bare: number[] = [];
  const wrapped: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    bare.push(await microsecondsPerCall(count, () => use(model)));
    wrapped.push(await microsecondsPerCall(count, () => metered(use)));
  }
  const added = wrapped.map((us, round) => us - (bare[round] ?? us));
  const ratios = wrapped.map((us, round) => us / (bare[round] ?? us));
  console.log(
    `${name.padEnd(14)} bare ${written(spreadOf(bare), 1)} µs  metered ${written(spreadOf(wrapped), 1)} µs  ` +
      `added ${written(spreadOf(added), 1)} µs  ratio ${written(spreadOf(ratios), 2)}`,
  );
}
