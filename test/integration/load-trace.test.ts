import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BatchReports } from '../../src/capabilities/batches/report/batch-reports.ts';
import {
  type BatchReportDocument,
  batchReportSchema,
} from '../../src/capabilities/batches/report/report-document.ts';
import { openMigratedPglite } from '../../src/drivers/sql-database/migrated-pglite.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { formatUsd, ratioText, sumUsd, type Usd, usd } from '../../src/kernel/money.ts';
import { packagedPriceBook } from '../../src/pricing/packaged-price-book.ts';
import { loadTraceFile } from '../support/load-trace.ts';
import { writeReportedBatch } from '../support/reported-batch.ts';

/* Request sizes of real traffic as one batch: what the report says of them is what is computed from the file. */

const teams = ['blue', 'green', 'red', 'white'] as const;
const book = packagedPriceBook();
const question = {
  provider: 'openai',
  model: 'gpt-5-mini',
  at: new Date('2026-11-30T08:00:01Z'),
  tier: 'default',
  batch: true,
};

/** A request of the trace with what it cost: dollars a million tokens, by hand. */
interface Request {
  readonly input: number;
  readonly output: number;
  readonly costUsd: Usd;
}

describe.skipIf(loadTraceFile === undefined)(
  'the report of a batch of real request sizes',
  { timeout: 300_000 },
  () => {
    let database: SqlDatabase;
    let requests: readonly Request[];
    let report: BatchReportDocument;

    beforeAll(async () => {
      const rates = book.findPrice(question)?.rates;
      const [input, output] = [rates?.uncached_input?.usdPerMillion, rates?.text_output?.usdPerMillion];
      if (input === undefined || output === undefined) throw new Error('the model has a price');
      requests = readFileSync(loadTraceFile ?? '', 'utf8')
        .trim()
        .split(/\r?\n/)
        .slice(1)
        .map((line) => {
          const [, context = '', generated = ''] = line.split(',');
          const costUsd = usd(context).times(input).plus(usd(generated).times(output)).times(usd('0.000001'));
          return { input: Number(context), output: Number(generated), costUsd };
        });
      database = await openMigratedPglite();
      const items = requests.map(({ input: uncached, output: text, costUsd }, index) => {
        const tokens = { uncached_input: uncached, text_output: text };
        const pricing = book.price(question, tokens);
        if (pricing.kind !== 'priced') throw new Error(pricing.reason);
        // Priced as a call is; the sums below are computed from the rates.
        expect(formatUsd(pricing.cost.total)).toBe(formatUsd(costUsd));
        return {
          id: `request-${index + 1}`,
          team: teams[index % teams.length] ?? teams[0],
          calls: [
            {
              model: question.model,
              isBatch: true,
              tokens,
              costUsd: formatUsd(pricing.cost.total),
              costs: Object.fromEntries(
                Object.entries(pricing.cost.byClass).map(([name, amount]) => [name, formatUsd(amount)]),
              ),
              priceReference: pricing.price.reference,
            },
          ],
        };
      });
      await writeReportedBatch(database, { name: 'trace', team: 'blue', items });
      const reports = new BatchReports({ database, findPrice: (asked) => book.findPrice(asked) });
      report = batchReportSchema.strict().parse(await reports.read({ kind: 'name', name: 'trace' }, {}));
    }, 300_000);
    afterAll(() => database.close());

    it('has the totals of the bill', async () => {
      const total = sumUsd(requests.map(({ costUsd }) => costUsd));
      const tokens = (of: (request: Request) => number) =>
        String(requests.reduce((sum, request) => sum + of(request), 0));
      expect(report.items).toMatchObject({ total: requests.length, succeeded: requests.length });
      expect(report.cost).toMatchObject({
        totalUsd: formatUsd(total),
        calls: requests.length,
        wasteUsd: '0',
      });
      expect(report.tokens).toMatchObject({
        input: tokens(({ input }) => input),
        output: tokens(({ output }) => output),
      });
      expect(report.savings.tiers).toMatchObject([
        {
          tier: 'batch',
          calls: requests.length,
          paidUsd: formatUsd(total),
          standardUsd: formatUsd(total.times(2)),
        },
      ]);
      const { rows } = await database.query<{ team: string; cost_usd: string }>({
        name: 'test.spend_by_team',
        text: `select m.team, sum(c.cost_usd)::text as cost_usd from millrace.calls c join millrace.messages m on m.id = c.message_id
        group by m.team order by m.team`,
      });
      const ofTeam = (team: number) =>
        formatUsd(
          sumUsd(requests.filter((_, index) => index % teams.length === team).map(({ costUsd }) => costUsd)),
        );
      expect(rows.map(({ team, cost_usd: cost }) => [team, formatUsd(usd(cost))])).toEqual(
        teams.map((team, index) => [team, ofTeam(index)]),
      );
    });

    it('has the concentration that is computed from the file', () => {
      const ranked = requests.map(({ costUsd }) => costUsd).toSorted((one, other) => other.comparedTo(one));
      const size = ranked.length;
      const total = sumUsd(ranked);
      const cut = (tenth: number): number => Math.ceil((tenth * size) / 10);
      expect(report.concentration.tenths).toEqual(
        Array.from({ length: 10 }, (_, index) => {
          const part = ranked.slice(cut(index), cut(index + 1));
          const cost = sumUsd(part);
          return {
            tenth: index + 1,
            items: part.length,
            costUsd: formatUsd(cost),
            share: ratioText(cost, total),
          };
        }),
      );
      expect(report.concentration.topTenthShare).toBe(ratioText(sumUsd(ranked.slice(0, cut(1))), total));
      // From the least to the most expensive; the statement goes the other way.
      const ascending = ranked.toReversed();
      const differences = sumUsd(ascending.map((cost, index) => cost.times(2 * (index + 1) - size - 1)));
      expect(report.concentration.gini).toBe(ratioText(differences, total.times(size)));
      const nearestRank = (share: number) => formatUsd(ascending[Math.ceil(share * size) - 1] ?? usd('0'));
      expect(report.cost.perItem).toMatchObject({
        items: size,
        p50Usd: nearestRank(0.5),
        p95Usd: nearestRank(0.95),
        maxUsd: formatUsd(ranked[0] ?? usd('0')),
      });
      expect(report.concentration.outliers.map(({ costUsd }) => costUsd)).toEqual(
        ranked.slice(0, report.concentration.outliers.length).map((cost) => formatUsd(cost)),
      );
    });
  },
);
