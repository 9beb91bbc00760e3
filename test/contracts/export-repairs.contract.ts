import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { ExportLedger } from '../../src/engine/export/export-ledger.ts';
import { newId } from '../../src/kernel/ids.ts';

/** What the ledger promises about repairs of export batches, on whichever database. */
export function exportRepairsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`repairs of export batches on ${name}`, () => {
    let database: SqlDatabase;
    let ledger: ExportLedger;

    beforeEach(async () => {
      database = await open();
      ledger = new ExportLedger(database);
      await database.execute(
        `insert into millrace.outbox (target, line) values ('message_outcomes', '{"message_id":"${newId(new Date())}"}')`,
      );
    });

    it('are begun by one process at a time, in order, each once, while the batch is open', async () => {
      const id = newId(new Date());
      expect(await ledger.bind(id, 'message_outcomes', 100)).toMatchObject({ repairs: 0 });
      const begin = (number: number) => ledger.beginRepair(id, number);
      const read = () => ledger.read({ id, target: 'message_outcomes' });
      expect(await begin(2)).toBe(false);
      const begun = await Promise.all(Array.from({ length: 6 }, () => begin(1)));
      expect(begun.filter(Boolean)).toHaveLength(1);
      expect(await read()).toMatchObject({ repairs: 1 });
      expect(await begin(2)).toBe(true);
      expect(await read()).toMatchObject({ repairs: 2 });
      await ledger.markExported(id);
      expect(await begin(3)).toBe(false);
    });
  });
}
