import { named, plannedOnce } from '../../drivers/sql-database/sql-statement.ts';
import { envelopeColumns, leaseGrace } from './message-sql.ts';
import { isBehindItsKey, setAside, asideGrace } from './order-sql.ts';

/*
 * Which messages are next, in one statement for all stages of a process:
 *
 *   ask       one row a stage and lane: how many are wanted, where the lane stands (start + place × step), after whom
 *   visit     from customer to customer, one probe of the index each, round once at most
 *   candidate of each customer that has something due, its oldest; what is blocked is left out
 *   turn      within a lane by round, then by customer; across lanes by the lanes' virtual times
 *   locked    in this order what nobody else is about to take, as many as are wanted
 *   taken     leased
 *
 * Ids are handed on as arrays and customers by lateral joins, so that no stale statistics can make a plan read the table.
 */

const isReady = `m.state = 'pending' and m.parked_for is null`;

/** The same, in a form that no partial index answers: a row that is known by its id is never looked for in that of all ready ones. */
const isStillReady = `case when m.state = 'pending' then m.parked_for is null end`;

/** Nearly always nothing is blocked; then this is one look at an empty table, and the conditions behind it are not tried. */
const isAnythingBlocked = `(select exists (select from millrace.blocks))`;

const unless = (condition: string): string =>
  `case when ${isAnythingBlocked} then not exists (select from millrace.blocks h where ${condition}) else true end`;

/** How far behind a customer's oldest messages a claim looks when some of these may be blocked or wait for their key. */
const lookBehind = 256;

/** $1 what is asked for (see Claims), $2 the worker. A row for each message taken, and one for each lane without. */
export const claimMessages = plannedOnce(
  'ledger.claim_messages',
  `with recursive ask as materialized (
     select a.* from json_to_recordset($1::json) as a(ask int, stage text, lane text, wanted int, reach int, hops int,
       start float8, step float8, after text, lease_ms int, is_ordered boolean)
     where ${unless(`h.scope = 'all' or (h.scope = 'stage' and h.value = a.stage)`)}),
   visit as (
     select ask, stage, lane, reach, hops, is_ordered, after, 0 as hop, 0 as found, false as is_round, after as customer,
       false as is_due
     from ask
     union all
     select v.ask, v.stage, v.lane, v.reach, v.hops, v.is_ordered, v.after, v.hop + 1, v.found + next.is_due::int,
       next.is_round, next.customer, next.is_due
     from visit v cross join lateral (
       select e.customer, e.is_round,
         e.available_at <= statement_timestamp() and ${unless(`h.scope = 'customer' and h.value = e.customer`)} as is_due
       from (
         (select m.customer, m.available_at, v.is_round from millrace.messages m
          where ${isReady} and m.stage = v.stage and m.lane = v.lane and m.customer collate "C" > v.customer
          order by m.customer collate "C", m.available_at limit 1)
         union all
         (select m.customer, m.available_at, true from millrace.messages m
          where not v.is_round and ${isReady} and m.stage = v.stage and m.lane = v.lane
            and m.customer collate "C" <= v.after
          order by m.customer collate "C", m.available_at limit 1)) e
       where not v.is_round or e.customer collate "C" <= v.after
       limit 1) next
     where v.hop < v.hops and v.found < v.reach),
   due as (
     select v.ask, v.stage, v.lane, v.customer, v.hop,
       ceil(v.reach::float8 / count(*) over (partition by v.ask))::int as share,
       case when v.is_ordered or ${isAnythingBlocked} then ${lookBehind} else 0 end as behind
     from visit v where v.is_due),
   candidate as materialized (
     select d.ask, d.hop, d.share, c.id, c.is_behind, c.nth
     from due d cross join lateral (
       select r.id, r.is_behind,
         count(*) filter (where not r.is_behind) over (order by r.available_at, r.id rows unbounded preceding) as nth
       from (
         select m.id, m.available_at, ${isBehindItsKey('m')} as is_behind
         from (
           select m.id, m.available_at, m.stage, m.order_key, m.order_place, m.team, m.feature, m.batch
           from millrace.messages m
           where ${isReady} and m.stage = d.stage and m.lane = d.lane and m.customer collate "C" = d.customer
             and m.available_at <= statement_timestamp()
           order by m.available_at, m.id limit d.share + d.behind) m
         where ${unless(`(h.scope = 'team' and h.value = m.team) or (h.scope = 'feature' and h.value = m.feature)
             or (h.scope = 'batch' and h.value = m.batch)`)}) r) c),
   ranked as (
     select c.ask, c.id, row_number() over (partition by c.ask order by c.nth, c.hop) as place
     from candidate c where not c.is_behind),
   turn as materialized (
     select r.ask, r.id, a.stage, row_number() over (partition by a.stage order by a.start + r.place * a.step, a.lane) as turn
     from ranked r join ask a on a.ask = r.ask),
   locked as materialized (
     select l.ask, l.id, l.turn
     from (select stage, max(wanted) as wanted, max(reach) as reach from ask group by stage) s
     cross join lateral (
       select t.ask, t.turn, m.id
       from (select * from turn where turn.stage = s.stage and turn.turn <= s.reach order by turn.turn) t
       cross join lateral (
         select m.id from millrace.messages m
         where m.id = t.id and ${isStillReady} and m.available_at <= clock_timestamp() for update skip locked) m
       limit s.wanted) l),
   behind as (
     select m.id from candidate c
     cross join lateral (
       select m.id from millrace.messages m where m.id = c.id and ${isStillReady} for update skip locked) m
     where c.is_behind),
   aside as (
     update millrace.messages m set parked_for = '${setAside}', sweep_at = clock_timestamp() + ${asideGrace}
     where m.id = any(array(select b.id from behind b))
     returning m.stage, m.order_key),
   taken as (
     update millrace.messages m
     set state = 'leased', fencing_token = m.fencing_token + 1, deliveries = m.deliveries + 1, leased_by = $2, leased_at = clock_timestamp(),
       lease_until = clock_timestamp() + (select max(a.lease_ms) from ask a where a.stage = m.stage) * interval '1 millisecond',
       sweep_at = clock_timestamp() + (select max(a.lease_ms) from ask a where a.stage = m.stage) * interval '1 millisecond'
         + ${leaseGrace}
     where m.id = any(array(select l.id from locked l))
     returning ${envelopeColumns}),
   lane as (
     select a.ask, v.last_customer, coalesce(c.seen, 0)::int as seen,
       v.hops_made >= a.hops or v.found >= a.reach or coalesce(c.is_cut, false) as is_cut, l.first_turn,
       (select json_agg(distinct s.order_key) from aside s where s.stage = a.stage) as aside
     from ask a
     join (select ask, max(hop) as hops_made, max(found) as found,
             (array_agg(customer order by hop desc))[1] as last_customer from visit group by ask) v on v.ask = a.ask
     left join (select ask, count(*) filter (where not is_behind) as seen, bool_or(nth >= share) as is_cut
                from candidate group by ask) c on c.ask = a.ask
     left join (select ask, min(turn) as first_turn from locked group by ask) l on l.ask = a.ask)
   select n.ask as claim_ask, n.seen as claim_seen, n.is_cut as claim_is_cut, n.last_customer as claim_last_customer,
     case when l.turn is not distinct from n.first_turn then n.aside end as claim_aside, l.turn::int as claim_turn, t.*
   from lane n left join locked l on l.ask = n.ask left join taken t on t.id = l.id`,
);

/** $1 ids of messages that woke somebody who found nothing: why they were not taken. */
export const explainMessages = named(
  'ledger.explain_messages',
  `select m.id, m.state, greatest(0, extract(epoch from (m.available_at - clock_timestamp())) * 1000)::int as due_in_ms,
     m.parked_for is not null or not ${unless(`h.scope = 'all' or (h.scope = 'stage' and h.value = m.stage)
       or (h.scope = 'customer' and h.value = m.customer) or (h.scope = 'team' and h.value = m.team)
       or (h.scope = 'feature' and h.value = m.feature) or (h.scope = 'batch' and h.value = m.batch)`)} as must_wait
   from millrace.messages m where m.id = any($1::uuid[])`,
);
