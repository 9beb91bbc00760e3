import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineMessage } from '../../src/messages/message-type.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { kindOfError } from '../../src/telemetry/log-pace.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { SeveralHosts } from '../support/several-hosts.ts';
import { counted } from '../support/counted.ts';

const TicketOpened = defineMessage('ticket.opened').version(1, z.object({ subject: z.string() }));
const stage = {
  definition: defineStage('answer', { consumes: TicketOpened.upTo(1), concurrency: 2 }),
  handler: { handle: () => Promise.resolve('answered') },
} as unknown as RegisteredStage;
const origin = { team: 'blue', customer: 'acme', feature: 'triage' };

/** How long the queue's store refuses, by the looks that hosts take meanwhile: each second one. */
const looks = 4;
const perLook = 10;
/** A host says each kind once in ten seconds. */
const saysAgainMs = 10_000;

describe.skipIf(![postgresPrograms(), redisPrograms()].every((program) => canRun(program)))(
  'hosts whose Redis refuses everything',
  () => {
    let hosts: SeveralHosts;
    beforeAll(async () => {
      hosts = await SeveralHosts.begin();
    });
    afterEach(() => hosts.stopHosts());
    afterAll(() => hosts.end());

    it.each([
      ['READONLY', (redis: RedisServer, refuses: boolean) => redis.setReadOnly(refuses)],
      ['OOM', (redis: RedisServer, refuses: boolean) => redis.setFull(refuses)],
    ])(
      '(%s) say so once a kind, and lose nothing',
      async (refusal, setRefusing) => {
        const ledgerUrl = await hosts.newLedger(refusal.toLowerCase());
        const { logger, lines } = recordingLogger();
        const start = (roles: readonly ('api' | 'worker' | 'maintenance')[]) =>
          hosts.start(ledgerUrl, {
            stages: [stage],
            modelProviders: {},
            config: { roles: [...roles], columnStore: { url: 'http://127.0.0.1:9' } },
            logger,
          });
        // What one admits the other works on: nothing gets there but by the queue, or by the sweeper.
        const worker = await start(['worker', 'maintenance']);
        const api = await start(['api']);
        let admitted = 0;
        const admit = async (): Promise<void> => {
          for (let n = 0; n < perLook; n += 1, admitted += 1) {
            await api.admissions.admit(TicketOpened.v1, { subject: String(admitted) }, { origin });
          }
        };
        const completed = () => counted(worker.stores.database, 'completed');
        await admit();
        await expect.poll(completed, { timeout: 20_000 }).toBe(admitted);
        const looked = async (): Promise<number> => {
          const { body } = await api.metrics.render();
          return Number(/^millrace_clock_offset_seconds (.*)$/m.exec(body)?.[1] ?? Number.NaN);
        };
        lines.length = 0;
        const refusingSinceMs = performance.now();
        await setRefusing(hosts.redis, true);
        for (let look = 0; look < looks; look += 1) {
          await admit();
          const before = await looked();
          await expect.poll(looked).not.toBe(before);
        }
        const refusals = lines.filter(({ fields }) =>
          String((fields['error'] as Error | undefined)?.message).includes(refusal),
        );
        const byKind = Map.groupBy(
          refusals,
          ({ message, fields }) => `${message}: ${kindOfError(fields['error'])} ${String(fields['job'])}`,
        );
        expect(byKind.size).toBeGreaterThan(0);
        const mostLines = 1 + Math.floor((performance.now() - refusingSinceMs) / saysAgainMs);
        for (const [kind, said] of byKind) expect(said.length, kind).toBeLessThanOrEqual(2 * mostLines);
        await setRefusing(hosts.redis, false);
        await expect.poll(completed, { timeout: 60_000 }).toBe(admitted);
      },
      120_000,
    );
  },
);
