import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { setTimeout as later } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { BlockScope } from '../../src/engine/ledger/block.ts';
import { pauseListSchema, placedPauseSchema } from '../../src/capabilities/pauses/pause-documents.ts';
import { type Begun, PausedHosts } from '../support/paused-hosts.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { depth } from '../support/test-depth.ts';
import { type ApiFixture, openApiFixture } from './api-fixture.ts';
import { startApi } from './api-application.ts';
import { PauseService } from '../../src/capabilities/pauses/pause-service.ts';
import { requestTo } from './request-to.ts';

/* Pauses by the API over hosts that share PostgreSQL and Redis, while work flows. */

const patience = { timeout: 30_000, interval: 10 };
/** How long nothing must be begun, for a pause to be believed: several looks of everything that looks. */
const watchedMs = 300;
const canRunHere = [postgresPrograms(), redisPrograms()].every((programs) => canRun(programs));

interface Kind {
  readonly scope: BlockScope;
  readonly value: string | undefined;
  /** Rows that it stops. */
  readonly sql: string;
  readonly isConcerned: (begun: Begun) => boolean;
}

interface Observed {
  /** How long the API took. */
  readonly answerMs: number;
  /** How long after the answer the last handler or request was begun that had been claimed or reserved before it. */
  readonly lateMs: number;
  /** How long after resuming the first was begun. */
  readonly resumedMs: number;
}

const kinds: readonly Kind[] = [
  { scope: 'all', value: undefined, sql: 'true', isConcerned: () => true },
  { scope: 'stage', value: 'first', sql: `stage = 'first'`, isConcerned: ({ stage }) => stage === 'first' },
  {
    scope: 'customer',
    value: 'acme',
    sql: `customer = 'acme'`,
    isConcerned: ({ customer }) => customer === 'acme',
  },
  {
    scope: 'model',
    value: 'scripted/two',
    sql: `model = 'two'`,
    isConcerned: ({ model }) => model === 'scripted/two',
  },
];

describe.skipIf(!canRunHere)('Pauses over several hosts', () => {
  let hosts: PausedHosts;
  let fixture: ApiFixture;
  let app: NestFastifyApplication;
  let key: string;

  const api = async (method: 'get' | 'post' | 'delete', path = '', body?: object) => {
    const request = requestTo(app)[method](`/v1/pauses${path}`);
    const response = await request.set('authorization', `Bearer ${key}`).send(body);
    expect(response.statusCode, response.text).toBe(200);
    return response.body;
  };
  const pause = async (scope: BlockScope, value?: string, abort = false) =>
    placedPauseSchema.parse(await api('post', '', { scope, value, abort, reason: 'test' })).pause.id;
  const resume = (id: string) => api('delete', `/${id}?reason=over`);

  const begin = async (): Promise<void> => {
    await hosts.startHosts();
    app = await startApi(fixture.services({ provided: [[PauseService, hosts.first.service(PauseService)]] }));
  };
  const untilIdle = () =>
    vi.waitFor(async () => {
      const rows = await hosts.rows<{ open: number }>(
        'select count(*)::int as open from millrace.messages where sweep_at is not null',
      );
      expect(rows[0]?.open).toBe(0);
    }, patience);

  beforeAll(async () => {
    fixture = await openApiFixture();
    key = await fixture.newKey(['messages:read', 'operations:write']);
    hosts = await PausedHosts.begin();
    await begin();
  });

  afterEach(async () => {
    hosts.isHanging = false;
    for (const { id } of pauseListSchema.parse(await api('get')).pauses) await resume(id);
  });

  afterAll(async () => {
    await app.close();
    await hosts.end();
    await fixture.close();
  });

  /** Pauses, watches, and resumes once, while work flows. Nothing may have been claimed or reserved after the answer. */
  const pauseOnce = async ({ scope, value, sql, isConcerned }: Kind): Promise<Observed> => {
    const isRequest = scope === 'model';
    const begun = () => (isRequest ? hosts.requested : hosts.handled);
    const concerned = () => begun().filter((one) => isConcerned(one));
    const rest = () => begun().length - concerned().length;
    const beforeMs = performance.now();
    await vi.waitFor(
      () => expect(concerned().filter(({ atMs }) => atMs > beforeMs).length).toBeGreaterThan(3),
      patience,
    );
    const askedMs = performance.now();
    const id = await pause(scope, value);
    const answeredMs = performance.now();
    const [answered] = await hosts.rows<{ at: string }>('select clock_timestamp()::text as at');
    const others = rest();
    const table = isRequest ? 'millrace.calls' : 'millrace.messages';
    // What was taken before the answer is still begun; after that, nothing.
    await vi.waitFor(async () => {
      const taken = `select id as taken from ${table} where ${sql} and state = '${isRequest ? 'reserved' : 'leased'}'`;
      expect(await hosts.rows(taken)).toEqual([]);
    }, patience);
    const begunBefore = concerned().length;
    await later(watchedMs);
    if (scope !== 'all') await vi.waitFor(() => expect(rest()).toBeGreaterThan(others + 3), patience);
    expect(concerned().length, `begun while ${scope} ${value} is held`).toBe(begunBefore);
    const late = concerned().filter(({ atMs }) => atMs > answeredMs);
    const violations = await hosts.rows(
      `select id from ${table} where ${sql} and ${isRequest ? 'reserved_at' : 'leased_at'} > $1::timestamptz`,
      [answered?.at],
    );
    expect(violations, `begun after the pause on ${scope} ${value}`).toEqual([]);
    const [resumedAtMs, before] = [performance.now(), concerned().length];
    await resume(id);
    await vi.waitFor(() => expect(concerned().length).toBeGreaterThan(before), patience);
    return {
      answerMs: answeredMs - askedMs,
      lateMs: Math.max(0, ...late.map(({ atMs }) => atMs - answeredMs)),
      resumedMs: performance.now() - resumedAtMs,
    };
  };

  it('stop what they name the moment the API answers, let the rest go on, and lose nothing', async ({
    annotate,
    onTestFinished,
  }) => {
    const feeding = new AbortController();
    onTestFinished(() => feeding.abort());
    const fed = hosts.feed(feeding.signal);
    const observed: Observed[] = [];
    for (let round = 0; round < depth({ usual: 1, full: 3 }); round += 1) {
      for (const kind of kinds) observed.push(await pauseOnce(kind));
    }
    feeding.abort();
    await fed;
    await untilIdle();
    const ends = await hosts.rows(
      `select state, count(*)::int as count, max(attempts)::int as attempts from millrace.messages group by state`,
    );
    expect(ends).toEqual([{ state: 'completed', count: hosts.admitted, attempts: 0 }]);
    const all = (figure: keyof Observed) => observed.map((one) => one[figure]);
    await annotate(
      `answered in ${figures(all('answerMs'))}; last begun after the answer ${figures(all('lateMs'))}; ` +
        `first begun after resuming ${figures(all('resumedMs'))}`,
    );
  }, 300_000);

  it.each(['stage first', 'model scripted/one'])(
    'end what is in the air when that is asked for: %s',
    async (what) => {
      const [scope, value] = what.split(' ') as [BlockScope, string];
      hosts.isHanging = true;
      const id = await hosts.admit('first');
      await vi.waitFor(async () => {
        const calls = await hosts.rows('select state from millrace.calls where message_id = $1::uuid', [id]);
        expect(calls).toEqual([{ state: 'reserved' }]);
      }, patience);
      const pauseId = await pause(scope, value, true);
      const state = async () =>
        (
          await hosts.rows('select state, attempts, parked_for from millrace.messages where id = $1::uuid', [
            id,
          ])
        )[0];
      await vi.waitFor(
        async () =>
          expect(await state()).toEqual({ state: 'pending', attempts: 0, parked_for: `pause:${pauseId}` }),
        patience,
      );
      const calls = await hosts.rows('select state from millrace.calls where message_id = $1::uuid', [id]);
      expect(calls).toEqual([{ state: 'unsettled' }]);
      expect(pauseListSchema.parse(await api('get')).pauses).toMatchObject([
        { id: pauseId, aborts: true, waiting: 1 },
      ]);
      hosts.isHanging = false;
      await resume(pauseId);
      await vi.waitFor(
        async () =>
          expect(await state()).toMatchObject({ state: 'completed', attempts: 0, parked_for: null }),
        patience,
      );
    },
  );

  it('outlast a restart of every process, and show in metrics', async () => {
    const pauseId = await pause('all');
    await app.close();
    await hosts.stopHosts();
    await begin();
    const handledBefore = hosts.handled.length;
    const id = await hosts.admit('second');
    await later(watchedMs);
    expect(hosts.handled.length).toBe(handledBefore);
    for (const host of hosts.hosts) {
      const { body } = await host.metrics.render();
      expect(body).toContain('millrace_pauses_active{scope="all"} 1');
      expect(body).toMatch(/millrace_stage_paused\{owner="[^"]*",stage="second"\} 1/);
      expect(body).toMatch(/^millrace_pause_age_seconds 0\.\d|^millrace_pause_age_seconds [1-9]/m);
    }
    await resume(pauseId);
    await untilIdle();
    expect(await hosts.rows('select state from millrace.messages where id = $1::uuid', [id])).toEqual([
      { state: 'completed' },
    ]);
  });

  it('put the backlog of a paused batch aside, whenever it comes, and wake it when they are lifted', async () => {
    const pauseId = await pause('batch', 'night');
    const ids = [
      await hosts.admit('first', { batch: 'night' }),
      await hosts.admit('second', { batch: 'night' }),
    ];
    const waiting = async () => pauseListSchema.parse(await api('get')).pauses[0]?.waiting;
    await vi.waitFor(async () => expect(await waiting()).toBe(2), patience);
    await resume(pauseId);
    await untilIdle();
    const states = await hosts.rows(
      'select distinct state from millrace.messages where id = any($1::uuid[])',
      [ids],
    );
    expect(states).toEqual([{ state: 'completed' }]);
  });
});

function figures(ms: readonly number[]): string {
  const sorted = ms.toSorted((one, other) => one - other);
  const at = (share: number) => (sorted[Math.ceil(sorted.length * share) - 1] ?? 0).toFixed(1);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms over ${ms.length}`;
}
