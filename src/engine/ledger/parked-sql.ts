import type { SqlStatement } from '../../drivers/sql-database/sql-database.ts';
import { waitsToStart } from './start-sql.ts';

/* What messages wait for until it is lifted: its kind and its name ("pause:…"). */

/** The names, by steps through their index, however many messages wait. */
export const listParkedNames: SqlStatement = {
  name: 'ledger.list_parked_names',
  text: `with recursive names as (
     (select parked_for as name from millrace.messages where parked_for is not null order by parked_for limit 1)
     union all
     select (select m.parked_for from millrace.messages m where m.parked_for is not null and m.parked_for > n.name
       order by m.parked_for limit 1)
     from names n where n.name is not null)
   select name from names where name is not null`,
};

/** How many messages wait for each, but for their own time to start. Reads all that wait: for people, not for loops. */
export const countParked: SqlStatement = {
  name: 'ledger.count_parked',
  text: `select parked_for as name, count(*)::int as count from millrace.messages
   where parked_for < '${waitsToStart}' or parked_for > '${waitsToStart}'
   group by parked_for order by parked_for`,
};
