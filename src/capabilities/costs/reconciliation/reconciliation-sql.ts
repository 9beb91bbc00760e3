import { recordAction } from '../../../engine/ledger/operator-action.ts';
import { named } from '../../../drivers/sql-database/sql-statement.ts';

/* Every statement about kept reconciliations. */

const columns = `id, provider, to_char(day, 'YYYY-MM-DD') as day, accounts, keys, form, bill_digest, ledger_digest,
  ledger_usd::text as ledger_usd, bill_usd::text as bill_usd, residual_usd::text as residual_usd, differences, state, rows,
  notices, reason, actor, made_at, superseded_at`;

/** $1 the id, then the columns. Supersedes what was kept of the provider and day before; nothing when it says the same. */
export const keepReconciliation = named(
  'reconciliation.keep',
  `with current as materialized (
     select r.id, r.bill_digest = $7 and r.ledger_digest = $9 and r.accounts = $4::text[] and r.keys = $5::text[] and r.state = $14 and r.rows = $15 as is_same
     from millrace.reconciliations r where r.provider = $2 and r.day = $3::date and r.superseded_at is null for update),
   superseded as (
     update millrace.reconciliations r set superseded_at = clock_timestamp()
     from current c where r.id = c.id and not c.is_same returning r.id),
   settled as (select count(*) as n from superseded)
   insert into millrace.reconciliations (id, provider, day, accounts, keys, form, bill_digest, bill, ledger_digest, ledger_usd, bill_usd,
     residual_usd, differences, state, rows, notices, reason, actor)
   select $1::uuid, $2, $3::date, $4::text[], $5::text[], $6, $7, $8, $9, $10::numeric, $11::numeric, $12::numeric, $13, $14, $15, $16, $17, $18
   from settled where not exists (select from current where is_same)
   returning id`,
);

/** $1 provider or null, $2 and $3 the days from and to before, $4 a state or null, $5 whether superseded ones too, $6 how many. */
export const listReconciliations = named(
  'reconciliation.list',
  `select ${columns} from millrace.reconciliations
   where ($1::text is null or provider = $1) and day >= $2::date and day < $3::date and ($4::text is null or state = $4)
     and ($5::boolean or superseded_at is null)
   order by day desc, provider, superseded_at desc nulls first, made_at desc, id limit $6`,
);

/** $1 the id. */
export const findReconciliation = named(
  'reconciliation.find',
  `select ${columns} from millrace.reconciliations where id = $1::uuid`,
);

/** $1 the first day: current ones, with their bills, in order. */
export const listCurrentDays = named(
  'reconciliation.list_current_days',
  `select ${columns}, bill from millrace.reconciliations where superseded_at is null and day >= $1::date order by day, provider, id limit 1000`,
);

/** $1 the first day: what gauges show. */
export const sumReconciliations = named(
  'reconciliation.sum',
  `select provider, sum(residual_usd)::text as residual_usd, count(*) filter (where state = 'open')::int as open_days,
     max(extract(epoch from day + 1))::float8 as newest_seconds
   from millrace.reconciliations where superseded_at is null and day >= $1::date group by provider order by 1`,
);

/** Only one keeps days at a time: two that looked at the same moment would both keep theirs. */
export const lockReconciliations = named('reconciliation.lock', `select pg_advisory_xact_lock(7163082)`);

/** $1 the id, $2 the actor, $3 the target, $4 how many days, $5 the detail. */
export const noteReconciliation = named(
  'reconciliation.note',
  recordAction({
    id: '$1::uuid',
    actor: '$2::text',
    action: "'costs.reconcile'",
    target: '$3::text',
    affected: '$4::int',
    detail: '$5::json',
    reason: "''",
  }),
);

/** $1 the provider, $2 the day: of what later ones took the place of, only the latest twenty stay. */
export const pruneReconciliations = named(
  'reconciliation.prune',
  `delete from millrace.reconciliations where id in (
     select id from millrace.reconciliations where provider = $1 and day = $2::date and superseded_at is not null
     order by superseded_at desc, id offset 20)`,
);
