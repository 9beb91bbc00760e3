import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KeptDay } from '../../src/capabilities/costs/reconciliation/reconciliation-ledger.ts';
import { ReconciliationLedger } from '../../src/capabilities/costs/reconciliation/reconciliation-ledger.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { newId } from '../../src/kernel/ids.ts';
import { usd } from '../../src/kernel/money.ts';

const everything = { from: '0001-01-01', to: '9999-12-31', history: false, limit: 10 };

function someDay(fields: Partial<KeptDay> = {}): KeptDay {
  return {
    id: newId(new Date()),
    provider: 'openai',
    day: '2026-03-02',
    accounts: ['openai'],
    keys: [],
    form: 'openai costs',
    billDigest: 'bill 1',
    bill: '{"source":"s","provider":"openai","form":"openai costs","usage":[],"costs":[{"place":"p","day":"2026-03-02","model":"m","meter":"all","amountUsd":"1.5"}],"requests":[],"days":["2026-03-02"],"notices":[],"unitUsd":"0.1"}',
    ledgerDigest: 'ledger 1',
    ledgerUsd: usd('1.000000000000000001'),
    billUsd: usd('1.5'),
    residualUsd: usd('0.499999999999999999'),
    differences: [{ cause: 'unexplained', usd: '0.499999999999999999' }],
    state: 'open',
    rows: [],
    notices: ['line item "x"'],
    reason: 'bill',
    actor: 'cli:test',
    ...fields,
  };
}

/** What is promised of kept reconciliations. */
export function reconciliationsContract(_: string, open: () => Promise<SqlDatabase>): void {
  describe('kept reconciliations', () => {
    let database: SqlDatabase;
    let ledger: ReconciliationLedger;
    beforeAll(async () => {
      database = await open();
      ledger = new ReconciliationLedger(database);
    });
    beforeEach(() => database.execute('delete from millrace.reconciliations'));

    it('come back as they were, to the last decimal', async () => {
      const day = someDay();
      expect(await ledger.keep([day])).toEqual(new Set([day.id]));
      const found = await ledger.find(day.id);
      expect(found).toMatchObject({
        day: '2026-03-02',
        ledgerUsd: '1.000000000000000001',
        residualUsd: '0.499999999999999999',
        differences: day.differences,
        notices: day.notices,
        state: 'open',
      });
      const [current] = await ledger.current('2026-03-01');
      expect(current?.bill.costs[0]?.amountUsd.toFixed()).toBe('1.5');
      expect(await ledger.current('2026-03-03')).toEqual([]);
    });

    it('stay as they are when the same is found again', async () => {
      const day = someDay();
      await ledger.keep([day]);
      expect(await ledger.keep([someDay()])).toEqual(new Set());
      expect((await ledger.list(everything)).map(({ id }) => id)).toEqual([day.id]);
    });

    it.each([
      ['another bill', { billDigest: 'bill 2' }],
      ['other records', { ledgerDigest: 'ledger 2', reason: 'ledger' }],
      ['other accounts', { accounts: ['openai', 'openai-eu'] }],
    ] as const)('are superseded by %s, and stay', async (_name, change) => {
      const first = someDay();
      const second = someDay({ ...change, state: 'explained' });
      await ledger.keep([first]);
      expect(await ledger.keep([second])).toEqual(new Set([second.id]));
      expect((await ledger.list(everything)).map(({ id }) => id)).toEqual([second.id]);
      expect((await ledger.find(first.id))?.supersededAt).toBeDefined();
      expect((await ledger.list({ ...everything, history: true })).map(({ id }) => id)).toEqual([
        second.id,
        first.id,
      ]);
      expect(await ledger.list({ ...everything, state: 'open' })).toEqual([]);
    });

    it('are one for each provider and day when several keep them at once', async () => {
      await Promise.all(['a', 'b', 'c', 'd'].map((billDigest) => ledger.keep([someDay({ billDigest })])));
      expect(await ledger.list(everything)).toHaveLength(1);
      expect(await ledger.list({ ...everything, history: true })).toHaveLength(4);
    });

    it('keep twenty of those that later ones took the place of', async () => {
      for (let n = 0; n < 24; n += 1) await ledger.keep([someDay({ billDigest: `bill ${n}` })]);
      expect(await ledger.list({ ...everything, history: true, limit: 50 })).toHaveLength(21);
    });

    it('are listed by day, the latest first, and summed by provider', async () => {
      await ledger.keep([
        someDay({ day: '2026-03-01' }),
        someDay({ day: '2026-03-03', provider: 'anthropic', state: 'reconciled', residualUsd: usd('0') }),
        someDay({ day: '2026-03-02' }),
      ]);
      const listed = await ledger.list({ ...everything, limit: 2 });
      expect(listed.map(({ day }) => day)).toEqual(['2026-03-03', '2026-03-02', '2026-03-01']);
      expect(
        (await ledger.list({ ...everything, from: '2026-03-02', to: '2026-03-03' })).map(({ day }) => day),
      ).toEqual(['2026-03-02']);
      expect(await ledger.sums('2026-03-01')).toEqual([
        { provider: 'anthropic', residualUsd: 0, openDays: 0 },
        { provider: 'openai', residualUsd: expect.closeTo(1, 9) as number, openDays: 2 },
      ]);
    });
  });
}
