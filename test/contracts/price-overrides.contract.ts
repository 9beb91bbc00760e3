import { beforeEach, describe, expect, it } from 'vitest';
import { OverrideService } from '../../src/capabilities/prices/overrides/override-service.ts';
import { OverrideWatch } from '../../src/capabilities/prices/overrides/override-watch.ts';
import { priceStatus } from '../../src/capabilities/prices/overrides/override-status.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { PriceCatalogues } from '../../src/engine/ledger/price-catalogues.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { type OverrideEntry, PriceOverrides } from '../../src/engine/ledger/price-overrides.ts';
import { LivePriceBook } from '../../src/pricing/live-price-book.ts';
import { failureOf } from '../support/models-harness.ts';
import { recordingLogger } from '../support/recording-logger.ts';

const ada = { actor: 'ada' };
const why = { reason: 'a contract', entirely: false };
const price = (over: Partial<OverrideEntry> = {}): OverrideEntry => ({
  provider: 'openai',
  model: 'alpha',
  rates: { uncached_input: '1' },
  ...over,
});

/** What is promised of prices that operators set, on whichever database. */
export function priceOverridesContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`prices that operators set on ${name}`, () => {
    let database: SqlDatabase;
    let now: Date;
    const clock: Clock = { ...systemClock, now: () => now };
    let service: OverrideService;

    beforeEach(async () => {
      database = await open();
      await database.execute('truncate millrace.operator_actions, millrace.price_overrides');
      now = new Date('2026-12-01T12:00:00.000Z');
      service = new OverrideService({ overrides: new PriceOverrides(database), clock });
    });

    const states = async () =>
      (await service.list()).overrides.map(({ price: { from, until }, state }) => ({ from, until, state }));
    const insertRow = (id: string, entry: string) =>
      database.query(
        {
          name: 'test.insert_override',
          text: `insert into millrace.price_overrides (id, entry, actor, reason) values ($1::uuid, $2, 'bob', 'by hand')`,
        },
        [id, entry],
      );

    it('are removed when they end in the millisecond in which they begin', async () => {
      const { id } = await service.set(price({ from: '2026-12-01T12:00:00.000Z' }), 'x', ada);
      expect(await service.unset(id, why, ada)).toEqual({ overrides: [], unreadable: [] });
      const later = await service.set(price({ from: '2026-12-01T12:00:00.000Z' }), 'x', ada);
      now = new Date('2026-12-01T12:00:00.001Z');
      await service.unset(later.id, why, ada);
      expect(await states()).toEqual([
        { from: '2026-12-01T12:00:00.000Z', until: '2026-12-01T12:00:00.001Z', state: 'over' },
      ]);
    });

    it('end once, however many end them, and never beside one that overlaps', async () => {
      const { id } = await service.set(price(), 'x', ada);
      const ends = await Promise.allSettled([1, 2, 3, 4].map(() => service.unset(id, why, ada)));
      expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      now = new Date('2026-12-02T12:00:00.000Z');
      await service.set(price({ from: '2026-12-02' }), 'x', ada);
      expect(await failureOf(service.unset(id, why, ada))).toMatchObject({
        code: 'MILLRACE_REQUEST_INVALID',
        faults: [{ field: 'id', problem: expect.stringContaining('over') as string }],
      });
      expect(await states()).toMatchObject([{ until: '2026-12-01T12:00:00.000Z' }, { from: '2026-12-02' }]);
    });

    it('are read under the lock, so that one who waited for it finds what was done before', async () => {
      const { id } = await service.set(price(), 'x', ada);
      const times: string[] = [];
      const end = () =>
        new PriceOverrides(database).end(
          id,
          {
            entirely: false,
            now: () => {
              const at = new Date(now.getTime() + times.length * 60_000);
              times.push(at.toISOString());
              return at;
            },
          },
          { id: newId(now), actor: 'ada', reason: 'x' },
        );
      expect((await Promise.all([end(), end()])).toSorted()).toEqual(['ended', 'over']);
      expect(await states()).toMatchObject([{ until: times[0] }]);
    });

    it('that cannot be read are left out, told, and removed by their id', async () => {
      const good = await service.set(price(), 'x', ada);
      const broken = [
        ['01a1944c-70c0-774b-8cce-b302099a8001', 'no JSON'],
        [
          '01a1944c-70c0-774b-8cce-b302099a8002',
          JSON.stringify(price({ model: 'beta', from: '2026-12-01', until: '2026-12-01' })),
        ],
        ['01a1944c-70c0-774b-8cce-b302099a8003', JSON.stringify(price({ from: '2026-12-01' }))],
        ['01a1944c-70c0-774b-8cce-b302099a8004', 'null'],
      ] as const;
      for (const [id, entry] of broken) await insertRow(id, entry);

      const list = await service.list();
      expect(list.overrides.map(({ id }) => id)).toEqual([good.id]);
      expect(list.unreadable).toMatchObject(
        broken.map(([id, text]) => ({ id, text, actor: 'bob', problem: expect.any(String) as string })),
      );
      expect(list.unreadable[2]?.problem).toContain(good.id);

      const { logger, lines } = recordingLogger();
      const book = new LivePriceBook();
      const packaged = book.version;
      const watch = new OverrideWatch({
        overrides: new PriceOverrides(database),
        catalogues: new PriceCatalogues(database),
        book,
        logger,
      });
      await watch.look();
      await watch.look();
      expect(book.version).not.toBe(packaged);
      expect(lines.filter(({ level }) => level === 'error').map(({ fields }) => fields['override'])).toEqual(
        broken.map(([id]) => id),
      );
      const status = await priceStatus.read({ database, clock });
      expect(status.document).toMatchObject({ unreadablePrices: broken.map(([id]) => ({ id })) });
      expect(status.lines?.join('\n')).toContain(broken[0][0]);

      await service.set(price({ model: 'gamma' }), 'x', ada);
      for (const [id] of broken) {
        expect(await failureOf(service.unset(id, why, ada))).toMatchObject({
          code: 'MILLRACE_REQUEST_INVALID',
        });
        await service.unset(id, { ...why, entirely: true }, ada);
      }
      expect((await service.list()).unreadable).toEqual([]);
      expect((await priceStatus.read({ database, clock })).lines).toEqual([]);
      expect(await states()).toHaveLength(2);
    });
  });
}
