import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { submitRequestSchema } from '../../src/capabilities/requests/intake/submit-requests.ts';
import { RequestService } from '../../src/capabilities/requests/request-service.ts';
import type { RequestDocument } from '../../src/capabilities/requests/state/request-document.ts';
import { RequestEnds } from '../../src/capabilities/requests/state/request-ends.ts';
import { FilesPayloadStore } from '../../src/drivers/payload-store/payload-store.files.ts';
import type { PayloadStore } from '../../src/drivers/payload-store/payload-store.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { CallLedger } from '../../src/engine/ledger/call-ledger.ts';
import { MessageLedger } from '../../src/engine/ledger/message-ledger.ts';
import { type AdmissionCheck, Admissions } from '../../src/engine/pipeline/admissions.ts';
import { EndedMessages } from '../../src/engine/pipeline/ended-messages.ts';
import { MessageBodies } from '../../src/engine/pipeline/message-bodies.ts';
import type { Publisher } from '../../src/engine/pipeline/publisher.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import { type RegisteredStage, StageRegistry } from '../../src/engine/pipeline/stage-registry.ts';
import { type ApiKeyIdentity, anyone } from '../../src/http/api-key-identity.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId, type Uuid } from '../../src/kernel/ids.ts';
import { usd } from '../../src/kernel/money.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { emptyTables } from './empty-tables.ts';
import { someReservation, someSettlement } from './ledger-fixture.ts';
import { requestParts } from './request-services.ts';

/* Requests on a real ledger, with a worker in the hand of the test. */

const definition = defineStage('sort', {
  consumes: defineMessage('thing.found')
    .version(1, z.object({ n: z.number(), text: z.string().optional() }))
    .upTo(1),
  pipeline: 'things',
});
const registry = new StageRegistry();
registry.register([{ definition, handler: { handle: () => undefined } }] as unknown as RegisteredStage[]);

const tables = [
  'request_keys',
  'held_payloads',
  'payload_removals',
  'requests',
  'outbox',
  'calls',
  'failures',
  'operator_actions',
  'messages',
].map((table) => `millrace.${table}`);

/** How the worker of the test ends a message. */
export type RequestFate =
  | { readonly kind: 'says'; readonly outputs: readonly unknown[]; readonly costUsd?: string }
  | { readonly kind: 'returns'; readonly result: unknown }
  | { readonly kind: 'dies'; readonly code: string; readonly costUsd?: string }
  /** Has asked a model, and waits for the answer: see `answer`. */
  | { readonly kind: 'asks'; readonly callId: Uuid };

/** One process, over a database of its own view. */
export interface RequestProcess {
  readonly service: RequestService;
  readonly ends: RequestEnds;
  readonly endedMessages: EndedMessages;
  /** One turn of what the maintenance role does about ends. */
  readonly turn: () => Promise<boolean>;
  readonly prune: () => Promise<boolean>;
  /** Resolves when what ended here has been looked at. */
  readonly drain: () => Promise<void>;
}

interface OpenRow {
  readonly id: Uuid;
  readonly root_id: Uuid;
  readonly fencing_token: number;
  readonly deliveries: number;
}

export class RequestFixture {
  readonly database: SqlDatabase;
  readonly payloads: PayloadStore;
  readonly main: RequestProcess;
  readonly #directory: string;

  private constructor(database: SqlDatabase, payloads: PayloadStore, directory: string) {
    this.database = database;
    this.payloads = payloads;
    this.#directory = directory;
    this.main = this.process();
  }

  static async begin(database: SqlDatabase): Promise<RequestFixture> {
    await emptyTables(database, tables);
    const directory = await mkdtemp(join(tmpdir(), 'mr-requests-'));
    return new RequestFixture(
      database,
      await new FilesPayloadStore({ directory }).open(new Date()),
      directory,
    );
  }

  async close(): Promise<void> {
    await this.payloads.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  process(
    database: SqlDatabase = this.database,
    options: {
      readonly check?: AdmissionCheck;
      readonly settings?: Parameters<typeof requestParts>[0]['settings'];
    } = {},
  ): RequestProcess {
    const { check, settings = {} } = options;
    const ledger = new MessageLedger({ database, clock: systemClock, worker: 'api' });
    const bodies = new MessageBodies(this.payloads, { inlineBytes: 2000, maxBytes: 200_000 });
    const publisher = {
      enqueued: () => undefined,
      notify: () => undefined,
      slotFor: () => undefined,
    } as unknown as Publisher;
    const admissions = new Admissions({
      ledger,
      registry,
      bodies,
      publisher,
      clock: systemClock,
      ...(check === undefined ? {} : { check }),
    });
    const endedMessages = new EndedMessages();
    const parts = requestParts({
      database,
      payloads: this.payloads,
      admissions,
      bodies,
      publisher,
      registry,
      settings,
      ends: endedMessages,
    });
    const service = (token: unknown): unknown => parts.services?.find(([one]) => one === token)?.[1];
    const turnOf = (name: string) => async () =>
      (await parts.jobs?.find((job) => job.name === name)?.turn(new AbortController().signal)) ?? false;
    return {
      service: service(RequestService) as RequestService,
      ends: service(RequestEnds) as RequestEnds,
      endedMessages,
      turn: turnOf('request_ends'),
      prune: turnOf('prune_requests'),
      drain: async () => await parts.stop?.(),
    };
  }

  /** Asks for what has this number; answers the document. */
  async submit(
    n: number,
    options: {
      readonly key?: string;
      readonly by?: RequestProcess;
      readonly caller?: Partial<ApiKeyIdentity>;
      readonly body?: Readonly<Record<string, unknown>>;
    } = {},
  ): Promise<RequestDocument> {
    const { key, by = this.main, caller = {}, body = {} } = options;
    const origin = { team: 'blue', customer: 'acme', feature: 'search' };
    const { document } = await by.service.submit(
      {
        pipeline: 'things',
        body: submitRequestSchema.parse({ data: { n }, origin, ...body }),
        idempotencyKey: key,
        traceParent: undefined,
        caller: { ...anyone, ...caller },
      },
      { waitMs: 0 },
    );
    return document;
  }

  async show(id: Uuid, by: RequestProcess = this.main): Promise<RequestDocument> {
    return (await by.service.show(id, {}, { waitMs: 0 })).document;
  }

  /** The worker: takes every message that waits, and ends each as the test says. */
  async work(fateOf: (row: OpenRow) => RequestFate): Promise<readonly Uuid[]> {
    const messages = new MessageLedger({ database: this.database, clock: systemClock, worker: 'worker-1' });
    const calls = new CallLedger({ database: this.database, clock: systemClock });
    const { rows } = await this.database.query<OpenRow>({
      name: 'test.take_requests',
      text: `update millrace.messages set state = 'leased', fencing_token = fencing_token + 1, deliveries = deliveries + 1, leased_by = 'worker-1',
           leased_at = clock_timestamp(), lease_until = clock_timestamp() + interval '1 minute', sweep_at = clock_timestamp() + interval '1 minute'
         where state = 'pending' and stage <> '' returning id, root_id, fencing_token, deliveries`,
    });
    for (const row of rows) {
      const run = { id: row.id, fencingToken: row.fencing_token };
      const fate = fateOf(row);
      if (fate.kind === 'asks') {
        await calls.reserve(someReservation({ id: fate.callId, message: run, attempt: row.deliveries }));
        continue;
      }
      if ('costUsd' in fate && fate.costUsd !== undefined) {
        const id = newId(new Date());
        await calls.reserve(someReservation({ id, message: run, attempt: row.deliveries }));
        await calls.settle(someSettlement({ id, costUsd: usd(fate.costUsd) }));
      }
      await this.#end(messages, run, fate);
    }
    return rows.map(({ id }) => id);
  }

  /** What became of a call that a message asked for, after whatever became of the message. */
  async answer(id: Uuid, costUsd: string): Promise<void> {
    const calls = new CallLedger({ database: this.database, clock: systemClock });
    await calls.settle(someSettlement({ id, costUsd: usd(costUsd) }));
  }

  /** How many rows there are. */
  async count(from: string): Promise<number> {
    const { rows } = await this.database.query<{ n: number }>({
      name: `test.count ${from.slice(-40)}`,
      text: `select count(*)::int as n from millrace.${from}`,
    });
    return rows[0]?.n ?? -1;
  }

  async #end(
    messages: MessageLedger,
    run: { readonly id: Uuid; readonly fencingToken: number },
    fate: Exclude<RequestFate, { readonly kind: 'asks' }>,
  ): Promise<void> {
    if (fate.kind === 'dies') {
      const detail = JSON.stringify({ chain: [{ message: 'it broke' }] });
      await messages.end({
        ...run,
        state: 'dead_lettered',
        code: fate.code,
        detail,
        outcomeLine: '{}',
      });
      return;
    }
    const bodies = new MessageBodies(this.payloads, { inlineBytes: 2000, maxBytes: 200_000 });
    const outputs = fate.kind === 'says' ? fate.outputs : [];
    const emissions = await Promise.all(
      outputs.map(async (output) => ({
        id: newId(new Date()),
        source: 'millrace/things/sort',
        type: 'thing.sorted',
        version: 1,
        pipeline: 'things',
        stage: '',
        owner: 'platform',
        lane: 'standard' as const,
        traceParent: `00-${'a'.repeat(32)}-${'c'.repeat(16)}-01`,
        ...(await bodies.store('thing.sorted', output)),
      })),
    );
    await messages.finish({
      ...run,
      result: fate.kind === 'returns' ? JSON.stringify(fate.result) : undefined,
      durationMs: 1,
      emissions,
    });
  }
}
