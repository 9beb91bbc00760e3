import { named } from '../../drivers/sql-database/sql-statement.ts';
import { type ActionEntry, recordAction } from '../../engine/ledger/operator-action.ts';

/*
 * Every statement about erasures. The first four parameters of most are one selection: $1 customer, $2 team, $3 the root of
 * a tree of messages (an absent part selects everything), $4 the pseudonym. Each may run any number of times.
 */

const selected = `($1::text is null or m.customer = $1::text) and ($2::text is null or m.team = $2::text)
     and ($3::uuid is null or m.root_id = $3::uuid)`;
const selectedLoose = `c.message_id is null and c.origin is not null and $3::uuid is null
     and ($1::text is null or c.origin::json ->> 'customer' = $1::text) and ($2::text is null or c.origin::json ->> 'team' = $2::text)
     and c.origin::json ->> 'customer' is distinct from $4::text`;

/** Items of batches, which have their data, outputs and errors beside the messages. */
const selectedItems = `($1::text is null or coalesce(i.customer, b.customer) = $1::text) and ($2::text is null or coalesce(i.team, b.team) = $2::text)
     and ($3::uuid is null or i.message_id = $3::uuid)`;
const items = 'millrace.batch_items i join millrace.batches b on b.id = i.batch_id';

/** Requests, which have whose they are and their results beside the messages. */
const selectedRequests = `($1::text is null or q.customer = $1::text) and ($2::text is null or q.team = $2::text) and ($3::uuid is null or q.id = $3::uuid)`;

const stateColumns = 'id, kind, pseudonym, team, began_at, ended_at, messages, failures, failure, failed_at';

/** $1 any message of the tree. */
export const findRoot = named(
  'ledger.find_root_of_message',
  `select root_id, team from millrace.messages where id = $1::uuid`,
);

/** $1 to $4 the selection. */
export const measureErasure = named(
  'ledger.measure_erasure',
  `select count(*)::int as messages, count(*) filter (where m.sweep_at is not null)::int
       + (select count(*) from ${items} where i.state in ('waiting', 'running') and ${selectedItems})::int
       + (select count(*) from millrace.requests q where q.ended_at is null and ${selectedRequests}
           and exists (select from millrace.messages r where r.id = q.id and r.sweep_at is null))::int as open,
     count(*) filter (where m.state = 'dead_lettered')::int as dead_letters,
     coalesce(sum((select count(*) from millrace.calls c where c.message_id = m.id)), 0)::int as calls,
     coalesce(sum((select count(*) from millrace.calls c where c.message_id = m.id and c.state = 'reserved')), 0)::int
       + (select count(*) from millrace.calls c where c.state = 'reserved' and ${selectedLoose})::int as calls_open,
     (select count(*) from millrace.calls c where ${selectedLoose})::int as loose_calls
   from millrace.messages m where ${selected} and ($3::uuid is not null or m.customer is distinct from $4::text)`,
);

/** $1 to $4 the selection, $5 the name or id as a JSON string: whether anything in the ledger but the audit may have it. */
export const findErasable = named(
  'ledger.find_erasable',
  `select exists (select from millrace.messages m where ${selected})
     or exists (select from millrace.calls c where ${selectedLoose})
     or exists (select from ${items} where ${selectedItems})
     or exists (select from millrace.batches where $3::uuid is null and ($1::text is null or customer = $1::text) and ($2::text is null or team = $2::text))
     or exists (select from millrace.schedules where $3::uuid is null and ($1::text is null or customer = $1::text) and ($2::text is null or team = $2::text))
     or exists (select from millrace.requests q where ${selectedRequests})
     or exists (select from millrace.api_keys where customer = $1::text and ($2::text is null or team = $2::text))
     or exists (select from millrace.outbox where strpos(line, $5::text) > 0)
     or exists (select from millrace.quotas where customer = $1::text and ($2::text is null or team = $2::text))
     or exists (select from millrace.blocks where scope = 'customer' and value = $1::text and $2::text is null) as found`,
);

/** The audit of an erasure, whose row says who asked for it and why. */
const recordErasure = (entry: Omit<ActionEntry, 'actor' | 'reason' | 'team'>): string =>
  recordAction({ actor: 'actor', reason: 'reason', team: 'team', ...entry });

/** $1 id, $2 kind, $3 hash, $4 pseudonym, $5 actor, $6 reason, $7 team or null, $8 the audit's id, $9 target, $10 detail. */
export const recordEmptyErasure = named(
  'ledger.record_empty_erasure',
  `with ended as (
     insert into millrace.erasures (id, kind, selection_hash, pseudonym, actor, reason, team, ended_at, messages)
     values ($1::uuid, $2, $3, $4, $5, $6, $7, clock_timestamp(), 0) returning actor, reason, team)
   ${recordErasure({ id: '$8::uuid', action: "'erasures.erase'", target: '$9', affected: '0', detail: '$10::json', from: 'ended' })}`,
);

/** $1 the lock that binding takes (see ExportLedger): nothing is bound until this transaction ends. */
export const lockBinding = named('ledger.lock_binding_to_erase', `select pg_advisory_xact_lock(7163081)`);

export const countOpenBatches = named(
  'ledger.count_open_batches_to_erase',
  `select count(*)::int as count from millrace.export_batches where exported_at is null`,
);

export const findOpenErasures = named(
  'ledger.find_open_erasures',
  `select id, selection_hash, pseudonym, selection from millrace.erasures where ended_at is null`,
);

/** $1 id, $2 kind, $3 hash, $4 pseudonym, $5 actor, $6 reason, $7 selection, $8 team or null. */
export const beginErasure = named(
  'ledger.begin_erasure',
  `insert into millrace.erasures (id, kind, selection_hash, pseudonym, actor, reason, selection, team)
   values ($1::uuid, $2, $3, $4, $5, $6, $7::json, $8)`,
);

/** $1 id, $2 the new lease, $3 how many milliseconds it lasts. No row while another process has one. */
export const leaseErasure = named(
  'ledger.lease_erasure',
  `update millrace.erasures set lease = $2::uuid, leased_until = clock_timestamp() + $3::int * interval '1 millisecond'
   where id = $1::uuid and ended_at is null and (leased_until is null or leased_until < clock_timestamp())
   returning id`,
);

/** $1 id, $2 lease, $3 how many milliseconds; 0 gives it back. */
export const renewErasure = named(
  'ledger.renew_erasure',
  `update millrace.erasures set leased_until = clock_timestamp() + $3::int * interval '1 millisecond'
   where id = $1::uuid and lease = $2::uuid and ended_at is null`,
);

/** $1 id. */
export const findErasure = named(
  'ledger.find_erasure',
  `select ${stateColumns} from millrace.erasures where id = $1::uuid`,
);

/** What is at work, and what was given up in the last seven days; the newest first. */
export const listTroubledErasures = named(
  'ledger.list_troubled_erasures',
  `select ${stateColumns} from millrace.erasures
   where ended_at is null or failed_at > clock_timestamp() - interval '7 days' order by id desc limit 20`,
);

/** $1 id, $2 lease: the ledger is done, the column store is begun. */
export const enterStore = named(
  'ledger.enter_store_to_erase',
  `update millrace.erasures set in_store = true, failures = 0 where id = $1::uuid and lease = $2::uuid and ended_at is null`,
);

/**
 * $1 id, $2 lease, $3 the code, $4 whether it counts, $5 how many are too many; $6 the audit's id, $7 target, $8 detail. Given
 * up, it ends; never once the column store is begun.
 */
export const noteErasureFailure = named(
  'ledger.note_erasure_failure',
  `with noted as materialized (
     select id, failures + $4::boolean::int as failures, not in_store and failures + $4::boolean::int >= $5::int as is_over
     from millrace.erasures where id = $1::uuid and lease = $2::uuid and ended_at is null for update),
   changed as (
     update millrace.erasures e
     set failures = n.failures, failure = $3, leased_until = case when not n.is_over then e.leased_until end,
       failed_at = case when n.is_over then clock_timestamp() end, ended_at = case when n.is_over then clock_timestamp() end,
       selection = case when not n.is_over then e.selection end
     from noted n where e.id = n.id returning e.actor, e.reason, e.team, n.is_over)
   ${recordErasure({ id: '$6::uuid', action: "'erasures.fail'", target: '$7', affected: '0', detail: '$8::json', from: 'changed where is_over' })}`,
);

/** $1 a text that the lines hold, $2 target and $3 number of the last line seen, $4 how many. */
export const listOutboxLines = named(
  'ledger.list_outbox_lines_to_erase',
  `select target, seq, line from millrace.outbox where strpos(line, $1::text) > 0 and (target, seq) > ($2::text, $3::bigint)
   order by target, seq limit $4`,
);

/** $1 target, $2 number, $3 line. */
export const rewriteOutboxLine = named(
  'ledger.rewrite_outbox_line',
  `update millrace.outbox set line = $3 where target = $1 and seq = $2::bigint`,
);

/** $1 to $4 the selection, $5 the last message seen, $6 how many. Only what has ended. Amounts, tokens and times stay. */
export const eraseMessages = named(
  'ledger.erase_messages',
  `with chosen as materialized (
     select m.id, m.body_ref from millrace.messages m
     where m.id > $5::uuid and m.sweep_at is null and ${selected} and ($3::uuid is not null or m.customer is distinct from $4::text)
     order by m.id limit $6 for update),
   waits as (delete from millrace.event_waits w using chosen m where w.id = m.id returning w.default_ref),
   payloads as (
     insert into millrace.payload_removals (reference)
     select distinct reference from (
       select body_ref as reference from chosen
       union all select default_ref from waits
       union all select c.answer_ref from millrace.calls c join chosen m on m.id = c.message_id) r
     where reference is not null
     on conflict (reference) do update set due_at = clock_timestamp()),
   answers as (
     update millrace.calls c set answer = null, answer_ref = null, parameters = null, raw_usage = null, request_digest = 'erased'
     from chosen m where m.id = c.message_id),
   notes as (
     update millrace.failures f set detail = '{"erased":true}' from chosen m where m.id = f.message_id),
   tokens as (delete from millrace.event_wait_tokens t using chosen m where t.wait_id = m.id),
   put_off as (
     delete from millrace.deferred_calls d using chosen m where m.id = d.message_id and d.state = 'settled'),
   -- A digest tells what was asked to whoever can guess it. That an answer was shared stays.
   questions as (
     delete from millrace.batch_questions q using chosen m where m.id = q.message_id),
   shared as (
     update millrace.batch_shared_answers s set fingerprint = 'erased ' || gen_random_uuid() from chosen m
     where m.id = s.message_id and s.fingerprint not like 'erased %'),
   sent as materialized (
     select r.batch_id, r.place from millrace.calls c join chosen m on m.id = c.message_id
     join millrace.provider_batch_requests r on r.request_id = c.id::text where c.request_kind = 'batch'),
   requests as (
     update millrace.provider_batch_requests r set body = 'null' from sent s where r.batch_id = s.batch_id and r.place = s.place),
   results as (
     update millrace.provider_batch_results o set result = null, error_message = null
     from sent s where o.batch_id = s.batch_id and o.place = s.place),
   erased as (
     update millrace.messages m
     set customer = case when $3::uuid is null then $4::text else m.customer end, labels = null, item = m.id::text,
       source = 'erased', event_id = m.id::text, body = 'null', body_ref = null, body_bytes = 4, result = null, order_key = null,
       trace_parent = '00-' || repeat('0', 31) || '1-' || repeat('0', 15) || '1-00',
       discarded_at = case when m.state = 'dead_lettered' then coalesce(m.discarded_at, clock_timestamp()) end,
       discarded_by = case when m.state = 'dead_lettered' then coalesce(m.discarded_by, 'erasure') end
     from chosen where chosen.id = m.id)
   select count(*)::int as count, (select id from chosen order by id desc limit 1) as last from chosen`,
);

/**
 * $1 to $4 the selection, $5 and $6 the batch and position of the last item seen, $7 how many: items of batches that have ended. What each
 * cost stays, and its place among the others.
 */
export const eraseBatchItems = named(
  'ledger.erase_batch_items',
  `with chosen as materialized (
     select i.batch_id, i.position, i.chunk from ${items}
     where (i.batch_id, i.position) > ($5::uuid, $6::int) and i.state not in ('waiting', 'running') and ${selectedItems}
       and ($3::uuid is not null or coalesce(i.customer, b.customer) is distinct from $4::text)
     order by i.batch_id, i.position limit $7 for update of i),
   chunks as (
     update millrace.batch_chunks k set cause = null
     from (select distinct batch_id, chunk from chosen) c where k.batch_id = c.batch_id and k.chunk = c.chunk and k.cause is not null),
   erased as (
     update millrace.batch_items i
     set customer = case when $3::uuid is null then $4::text else i.customer end, labels = null, item_id = 'millrace:erased:' || i.position,
       data = null, output = null, error_message = null, check_reason = null
     from chosen c where i.batch_id = c.batch_id and i.position = c.position)
   select batch_id, position from chosen order by batch_id desc, position desc limit 1`,
);

/** $1 customer, $2 team, $3 pseudonym: batches whose items are the customer's where they name no other. Their items come first. */
export const eraseBatches = named(
  'ledger.erase_batches',
  `update millrace.batches b set customer = $3::text, labels = null
   where ($1::text is null or b.customer = $1::text) and ($2::text is null or b.team = $2::text) and b.customer is distinct from $3::text`,
);

/** $1 customer, $2 team, $3 a message: schedules that would go on sending what is erased; with their runs. A message alone has none. */
export const eraseSchedules = named(
  'ledger.erase_schedules',
  `delete from millrace.schedules s
   where $3::uuid is null and ($1::text is null or s.customer = $1::text) and ($2::text is null or s.team = $2::text)`,
);

/** $1 to $4 the selection, $5 the last request seen, $6 how many: requests. What each cost stays. */
export const eraseRequests = named(
  'ledger.erase_requests',
  `with chosen as materialized (
     select q.id, q.result_ref from millrace.requests q
     where q.id > $5::uuid and ${selectedRequests} and ($3::uuid is not null or q.customer is distinct from $4::text) order by q.id limit $6 for update),
   keys as (delete from millrace.request_keys k using chosen c where k.request_id = c.id),
   held as (delete from millrace.held_payloads h using chosen c where h.holder = c.id),
   payloads as (
     insert into millrace.payload_removals (reference) select distinct c.result_ref from chosen c where c.result_ref is not null
     on conflict (reference) do update set due_at = clock_timestamp()),
   erased as (
     update millrace.requests q
     set customer = case when $3::uuid is null then $4::text else q.customer end, labels = null, webhook = null, error_message = null,
       result = case when q.state = 'completed' then 'null' end, result_ref = null
     from chosen c where q.id = c.id)
   select (select c.id from chosen c order by c.id desc limit 1) as last`,
);

/** $1 customer, or null for all of the team $2; $3 pseudonym. Keys that were the customer's are good for nothing any more. */
export const eraseKeys = named(
  'ledger.erase_keys',
  `update millrace.api_keys set customer = $3, revoked_at = coalesce(revoked_at, clock_timestamp())
   where ($1::text is null or customer = $1::text) and ($2::text is null or team = $2::text) and customer is not null and ($1::text is not null or $2::text is not null)`,
);

/** $1 to $4 the selection: calls outside of messages. */
export const eraseLooseCalls = named(
  'ledger.erase_loose_calls',
  `with chosen as materialized (select c.id, c.answer_ref from millrace.calls c where c.state <> 'reserved' and ${selectedLoose}),
   payloads as (
     insert into millrace.payload_removals (reference)
     select distinct answer_ref from chosen where answer_ref is not null
     on conflict (reference) do update set due_at = clock_timestamp()),
   keys as (delete from millrace.told_usage_keys k using chosen where k.call_id = chosen.id),
   erased as (
     update millrace.calls c
     set answer = null, answer_ref = null, parameters = null, raw_usage = null, request_digest = 'erased',
       origin = json_strip_nulls(json_build_object('team', c.origin::json ->> 'team', 'customer', $4::text,
         'feature', c.origin::json ->> 'feature', 'batch', c.origin::json ->> 'batch'))::text
     from chosen where chosen.id = c.id)
   select count(*)::int as count from chosen`,
);

/** $1 customer, $2 team: only that team's, $3 pseudonym. A quota that the configuration still names comes back with the next start. */
export const eraseQuotas = named(
  'ledger.erase_quotas',
  `update millrace.quotas set customer = $3, retired_at = coalesce(retired_at, clock_timestamp())
   where customer = $1 and ($2::text is null or team = $2::text)`,
);

/** $1 customer. */
export const findErasedBlock = named(
  'ledger.find_erased_block',
  `select id, reason from millrace.blocks where scope = 'customer' and value = $1`,
);

/** $1 id, $2 pseudonym, $3 reason. */
export const eraseBlock = named(
  'ledger.erase_block',
  `update millrace.blocks set value = $2, reason = $3 where id = $1::uuid`,
);

/** $1 customer, $2 the same as a JSON string, $3 the last entry seen, $4 how many: entries that may be about the customer. */
export const listNamingActions = named(
  'ledger.list_naming_actions',
  `select id, target, reason, detail::text as detail from millrace.operator_actions
   where id > $3::uuid and (target = 'customer ' || $1 or strpos(detail::text, $2) > 0) order by id limit $4`,
);

/** $1 id, $2 target, $3 reason, $4 detail. */
export const rewriteAction = named(
  'ledger.rewrite_action',
  `update millrace.operator_actions set target = $2, reason = $3, detail = $4::json where id = $1::uuid`,
);

/** $1 id, $2 the audit's id, $3 target, $4 how many messages, $5 detail, $6 lease. What was erased goes from here too. */
export const endErasure = named(
  'ledger.end_erasure',
  `with ended as (
     update millrace.erasures set ended_at = clock_timestamp(), messages = $4::int, selection = null, leased_until = null
     where id = $1::uuid and ended_at is null and lease = $6::uuid returning actor, reason, team)
   ${recordErasure({ id: '$2::uuid', action: "'erasures.erase'", target: '$3', affected: '$4::int', detail: '$5::json', from: 'ended' })}`,
);
