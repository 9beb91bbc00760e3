import { beforeEach, describe, expect, it } from 'vitest';
import { ApiKeys } from '../../src/capabilities/access/api-keys.ts';
import { type AuditFilter, AuditLog, type AuditPlace } from '../../src/capabilities/access/audit-log.ts';
import { SetLimits } from '../../src/capabilities/limits/set-limits.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { Blocks } from '../../src/engine/ledger/blocks.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';

/** What the audit and keys promise, on whichever database. The database is migrated. */
export function auditContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`the audit on ${name}`, () => {
    let database: SqlDatabase;
    let log: AuditLog;

    beforeEach(async () => {
      database = await open();
      await database.execute(
        'truncate millrace.operator_actions, millrace.api_keys, millrace.blocks, millrace.set_model_limits',
      );
      log = new AuditLog(database);
    });

    const listAll = async (filter: AuditFilter = {}, limit = 3) => {
      const pages = [];
      let after: AuditPlace | undefined;
      do {
        const page = await log.list(filter, { limit, after });
        expect(page.entries.length).toBeLessThanOrEqual(limit);
        pages.push(page.entries);
        after = page.next;
      } while (after !== undefined);
      return pages.flat();
    };
    /** Entries at one moment, in an order that is not that of their ids. */
    const write = async (count: number, parts: { readonly actor?: string; readonly team?: string } = {}) => {
      const ids = Array.from({ length: count }, () => newId(new Date())).toSorted();
      const { actor = 'ann', team = null } = parts;
      for (const id of ids.map((_, place) => ids[(place * 5 + 3) % count] ?? '')) {
        await database.query(
          {
            name: 'test.write_action',
            text: `insert into millrace.operator_actions (id, at, actor, action, target, detail, reason, team)
              values ($1::uuid, '2026-03-01T00:00:00.000123Z', $2, 'test.write', 'x', '{}', '', $3)`,
          },
          [id, actor, team],
        );
      }
      return ids;
    };

    it('is listed newest first, those of one moment by their ids, each once over all pages', async () => {
      const ids = await write(11);
      const limits = new SetLimits({ database, clock: systemClock });
      await limits.set('openai/*', { requestsPerMinute: 5, tokensPerMinute: undefined }, by);
      expect((await listAll()).map(({ id }) => id).slice(1)).toEqual(ids.toReversed());
      expect((await listAll({}, 200)).length).toBe(12);
      const until = { to: new Date('2026-03-01T00:00:00.001Z') };
      expect((await listAll(until)).map(({ id }) => id)).toEqual(ids.toReversed());
      expect(await listAll({ from: new Date('2026-03-01T00:00:00.001Z') })).toMatchObject([
        { action: 'limits.set' },
      ]);
    });

    it('finds the one entry of many, page by page, and looks at a bounded number of others', async () => {
      await database.execute(`insert into millrace.operator_actions (id, at, actor, action, target, detail, reason)
        select gen_random_uuid(), timestamptz '2026-03-02' + n * interval '1 second', 'machine', 'test.write', 'x', '{}', ''
        from generate_series(1, 5000) n`);
      const [id] = await write(1, { actor: 'rare' });
      expect(await log.list({ actor: 'rare' }, { limit: 10 })).toMatchObject({
        entries: [],
        next: { atUs: expect.stringMatching(/^\d+$/) },
      });
      expect(await listAll({ actor: 'rare' }, 10)).toMatchObject([{ id, actor: 'rare' }]);
    });

    it('has what was before and is since of every change of a limit, a pause and a key, and whose it is', async () => {
      const limits = new SetLimits({ database, clock: systemClock });
      await limits.set('openai/x', { requestsPerMinute: 5, tokensPerMinute: undefined }, by);
      await limits.set('openai/x', { requestsPerMinute: 6, tokensPerMinute: 7 }, by);
      await limits.reset('openai/x', by);
      const blocks = new Blocks({ database, clock: systemClock });
      await blocks.place({ scope: 'team', value: 'search', aborts: false, ...by });
      await blocks.place({ scope: 'team', value: 'search', aborts: true, ...by });
      await blocks.remove({ scope: 'team', value: 'search' }, by);
      const keys = new ApiKeys({ database, clock: systemClock });
      const { id } = await keys.create({ name: 'k', scopes: ['admin'], team: 'search' }, by);
      const next = await keys.rotate(id, { overlapMs: 1000 }, by);
      await keys.revoke(next?.entry.id ?? '', by);
      const entries = (await listAll()).toReversed();
      expect(entries.map(({ action, target, team }) => [action, target, team])).toEqual([
        ['limits.set', 'model openai/x', undefined],
        ['limits.set', 'model openai/x', undefined],
        ['limits.reset', 'model openai/x', undefined],
        ['pauses.place', 'team search', 'search'],
        ['pauses.place', 'team search', 'search'],
        ['pauses.resume', 'team search', 'search'],
        ['keys.create', 'key k', 'search'],
        ['keys.rotate', 'key k', 'search'],
        ['keys.revoke', 'key k', 'search'],
      ]);
      expect(entries[1]?.detail).toEqual({
        from: { requestsPerMinute: 5, tokensPerMinute: null },
        to: { requestsPerMinute: 6, tokensPerMinute: 7 },
      });
      expect(entries[4]?.detail).toMatchObject({
        from: { aborts: false, placedBy: 'ann' },
        to: { aborts: true },
      });
      expect((await listAll({ team: 'search' })).length).toBe(6);
      expect((await listAll({ team: 'search', action: 'keys' })).length).toBe(3);
      expect((await listAll({ action: 'keys.revoke' })).length).toBe(1);
      expect(await listAll({ action: 'key' })).toEqual([]);
      expect((await listAll({ target: 'team search' })).length).toBe(3);
    });

    it('has no entry of a change that was not made', async () => {
      const keys = new ApiKeys({ database, clock: systemClock });
      expect(await keys.revoke(newId(new Date()), by)).toBe(false);
      expect(await keys.rotate(newId(new Date()), { overlapMs: 0 }, by)).toBeUndefined();
      await new SetLimits({ database, clock: systemClock }).reset('openai/x', by);
      await new Blocks({ database, clock: systemClock }).remove({ scope: 'team', value: 'x' }, by);
      expect(await listAll()).toEqual([]);
    });
  });
}

const by = { actor: 'ann', reason: 'the provider bills nonsense' };
