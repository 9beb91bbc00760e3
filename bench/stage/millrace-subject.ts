import { generateText } from 'ai';
import { z } from 'zod';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { Millrace } from '../../src/host/millrace.ts';
import { invariant } from '../../src/kernel/invariant.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import type { Message } from '../../src/messages/message.ts';
import { ScriptedModel } from '../../src/testing/scripted-model.ts';
import type { StageContext } from '../../src/engine/pipeline/stage-context.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import type { MillraceMetrics } from '../../src/host/metric-catalogue.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { jobData, type Subject, type SubjectOptions, until } from './subject.ts';

const Tick = defineMessage('tick').version(1, z.object({ left: z.number(), text: z.string() }));
const Done = defineMessage('done').version(1, z.object({ text: z.string() }));
type Work = Message<{ readonly left: number; readonly text: string }>;

const { origin } = jobData;
const text = 'x'.repeat(400);

const countEnded = {
  name: 'bench.count_ended',
  text: `select count(*) filter (where state = 'completed')::int as completed, count(*)::int as ended
    from millrace.messages where stage = 'work' and state not in ('pending', 'leased')`,
};

const readLedgerBytes = {
  name: 'bench.read_ledger_bytes',
  text: `select coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8 as bytes
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'millrace' and c.relkind in ('r', 'm')`,
};

const readUsageSize = `select sum(bytes_on_disk)::String as bytes, count()::String as parts from system.parts where database = {database:String}`;

/** How large the stores of a host are. */
export interface StoreSizes {
  /** The ledger's tables with their indexes. */
  readonly ledgerBytes: number;
  /** The tables of usage, with parts that were merged and not yet removed. */
  readonly usageBytes: number;
  readonly usageParts: number;
}

/** A host as a subject, with what else a bench asks of it. */
export interface MillraceSubject extends Subject {
  storeSizes(): Promise<StoreSizes>;
}

/** What watches the host: a receiver of spans, and metrics instead of its own. */
export interface Watched {
  readonly endpoint?: string;
  readonly metrics?: MillraceMetrics;
}

/**
 * A host with one stage and every role, so that usage goes to the chDB of its process. `millrace-noop`: the handler does nothing but emit the next message, while there is one.
 * `millrace-call`: a full stage, with one metered call by `generateText` to a model in the process and one emission.
 */
export async function openMillrace(options: SubjectOptions, watched: Watched = {}): Promise<MillraceSubject> {
  const { kind, name, postgresUrl, clickHouse, redisUrl, directory, concurrency, hops, role } = options;
  const model = new ScriptedModel(() => {
    // It remembers every request, for tests.
    model.requests.length = 0;
    return { text: 'An answer of some words.', usage: { uncachedInput: 30, textOutput: 8 } };
  }, 'gpt-5-mini');
  const host = await Host.open({
    configuration: loadConfiguration({
      environment: {},
      options: {
        dataDirectory: directory,
        ...(postgresUrl === undefined
          ? {}
          : { ledger: { url: postgresUrl }, queue: { url: redisUrl, prefix: name } }),
        ...(clickHouse === undefined ? {} : { columnStore: clickHouse }),
        tracing: { endpoint: watched.endpoint },
      },
    }),
    ...(watched.metrics === undefined ? {} : { metrics: watched.metrics }),
    logger: silentLogger,
    modelProviders: { openai: { kind: 'custom', model: () => model } },
  });
  let onHandled: () => void = () => undefined;
  const call = async ({ data }: Work, ctx: StageContext): Promise<void> => {
    const answer = await generateText({
      model: ctx.model('openai/gpt-5-mini', { step: 'answer' }),
      prompt: `Answer number ${data.left}: ${data.text}`,
      maxOutputTokens: 200,
      abortSignal: ctx.signal,
    });
    if (data.left > 1) ctx.emit(Tick.v1, { left: data.left - 1, text: data.text });
    else ctx.emit(Done.v1, { text: answer.text });
  };
  const handler = {
    handle: async (message: Work, ctx: StageContext): Promise<void> => {
      onHandled();
      if (kind === 'millrace-call') await call(message, ctx);
      else if (message.data.left > 1)
        ctx.emit(Tick.v1, { left: message.data.left - 1, text: message.data.text });
    },
  };
  const work = defineStage('work', { consumes: Tick.upTo(1), emits: [Tick.v1, Done.v1], concurrency });
  const stages = [{ definition: work as never, handler }];
  const admit = (left: number): Promise<unknown> =>
    host.admissions.admit(Tick.v1, { left, text }, { origin });
  const readEnded = async (): Promise<{ readonly completed: number; readonly ended: number }> => {
    const { rows } = await host.stores.database.query<{ completed: number; ended: number }>(countEnded);
    const [row] = rows;
    invariant(row !== undefined, 'an aggregate without groups has one row');
    return row;
  };
  const before = { ...(await readEnded()), calls: (await host.calls.totals()).calls };
  // One that only adds knows the stages and is not started: it admits, and takes no work.
  if (role === 'adder') host.registry.register(stages);
  return {
    settings: `concurrency ${concurrency}; fed: messages that go ${hops} times through the stage, each emitted by the one before`,
    async start(onEach) {
      onHandled = onEach;
      await host.start(stages);
    },
    async feed(count) {
      const roots = Math.ceil(count / hops);
      await Promise.all(
        Array.from({ length: roots }, (_, root) => admit(Math.min(hops, count - root * hops))),
      );
    },
    async addBacklog(count) {
      await Promise.all(Array.from({ length: count }, () => admit(1)));
    },
    async sendOne() {
      await admit(1);
    },
    async untilDone() {
      const millrace = new Millrace(host);
      await until(() => millrace.isIdle());
      if (role === 'first') await host.exporter.drain();
      const { completed, ended } = await readEnded();
      const done = completed - before.completed;
      if (ended - before.ended !== done)
        throw new Error(`${ended - before.ended - done} messages did not complete`);
      const calls = (await host.calls.totals()).calls - before.calls;
      if (calls !== (kind === 'millrace-call' ? done : 0))
        throw new Error(`${calls} calls for ${done} messages of ${kind}`);
      return done;
    },
    async storeSizes() {
      const { database, columns } = host.stores;
      const ledger = await database.query<{ bytes: number }>(readLedgerBytes);
      const usage = await columns.query<{ bytes: string; parts: string }>(readUsageSize, {
        database: columns.database,
      });
      return {
        ledgerBytes: ledger.rows[0]?.bytes ?? 0,
        usageBytes: Number(usage[0]?.bytes ?? 0),
        usageParts: Number(usage[0]?.parts ?? 0),
      };
    },
    async stop() {
      await host.stop();
    },
  };
}
