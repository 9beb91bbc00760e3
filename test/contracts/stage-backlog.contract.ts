import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { LedgerCounts } from '../../src/engine/ledger/ledger-counts.ts';
import { StageBacklog } from '../../src/engine/ledger/stage-backlog.ts';
import { LedgerHarness, someAdmission } from '../support/ledger-fixture.ts';

/** What the ledger says about backlogs, on whichever database. */
export function stageBacklogContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`backlogs of stages on ${name}`, () => {
    let harness: LedgerHarness;

    beforeEach(async () => {
      harness = await LedgerHarness.begin(await open());
    });

    it('are counted by lane and by why they wait', async () => {
      const { database, ledger } = harness;
      const ids: string[] = [];
      for (const lane of ['bulk', 'bulk', 'bulk', 'interactive', 'interactive']) {
        const admission = someAdmission({ lane });
        await ledger.admit(admission);
        ids.push(admission.envelope.id);
      }
      const [delayed = '', parked = '', , leased = ''] = ids;
      const { fencingToken } = await harness.leased(delayed);
      await ledger.retry({ id: delayed, fencingToken, delayMs: 60_000, code: 'X', detail: '{}' });
      const held = await harness.leased(parked);
      await ledger.park({
        id: parked,
        fencingToken: held.fencingToken,
        delayMs: undefined,
        parkedFor: 'budget:x',
      });
      await harness.leased(leased);
      await database.execute(
        `update millrace.messages set available_at = available_at - interval '90 s' where lane = 'interactive'`,
      );
      const counts = await new LedgerCounts(database).read();
      expect(new Map(counts.map(({ lane, kind, count }) => [`${lane} ${kind}`, count]))).toEqual(
        new Map([
          ['bulk delayed', 1],
          ['bulk parked', 1],
          ['bulk ready', 1],
          ['interactive leased', 1],
          ['interactive ready', 1],
        ]),
      );
      const waiting = counts.find(({ lane, kind }) => lane === 'interactive' && kind === 'ready');
      expect(waiting?.oldestSeconds).toBeGreaterThanOrEqual(90);
    });

    it('drain at the rate of all processes together', async () => {
      const { database } = harness;
      const [one, other] = [new StageBacklog(database), new StageBacklog(database)];
      expect(await one.endRates()).toEqual(new Map());
      for (let turn = 0; turn < 60; turn += 1) one.ended('first');
      for (let turn = 0; turn < 40; turn += 1) other.ended('first');
      other.ended('second');
      await one.noteEnds();
      await other.noteEnds();
      await database.execute(`update millrace.stage_ends set bucket = clock_timestamp() - interval '50 s'`);
      const rates = await other.endRates();
      expect(rates.get('first')).toBeCloseTo(2, 1);
      expect(rates.get('second')).toBeGreaterThan(0);
      // Told once: what was written is not told again.
      await other.noteEnds();
      expect((await other.endRates()).get('first')).toBeCloseTo(2, 1);
    });
  });
}
