import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';

/**
 * Has the database itself look at every write of a window, inside the transaction that writes: what is spent and reserved in it (of a
 * rolling budget, in all slices that count with it) is never above the limit. Answers what was found; what is found is kept and not
 * refused, so that the code under test is not helped.
 */
export async function forbidOverspending(database: SqlDatabase): Promise<() => Promise<readonly unknown[]>> {
  await database.execute(`
    create schema if not exists overspending;
    create table if not exists overspending.found (quota text, window_start timestamptz, used numeric, limit_amount numeric);
    truncate overspending.found;
    create or replace function overspending.look() returns trigger language plpgsql as $$
    declare
      q millrace.quotas;
      used numeric;
    begin
      select * into q from millrace.quotas where name = new.quota;
      used := millrace.quota_used_since(new.quota, new.window_start - coalesce(q.window_length, interval '0'));
      if q.slice_length is null then
        used := new.spent + new.reserved;
      end if;
      if q.is_enforced and used > q.limit_amount then
        insert into overspending.found values (new.quota, new.window_start, used, q.limit_amount);
      end if;
      return null;
    end $$;
    drop trigger if exists overspending on millrace.quota_windows;
    create trigger overspending after insert or update on millrace.quota_windows for each row execute function overspending.look();`);
  return async () => {
    const { rows } = await database.query({
      name: 'test.overspending',
      text: 'select * from overspending.found',
    });
    return rows;
  };
}
