import type { Host } from '../../src/host/host.ts';
import type { Stores } from '../../src/host/stores.ts';
import { admitLot } from './admission-lots.ts';
import { carryOutBatch } from './batch-orders.ts';
import { CostReports } from '../../src/capabilities/costs/cost-reports.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import type { DiskSpace } from './disk-space.ts';
import type { FaultPoints } from './fault-points.ts';
import type { SettableClock } from '../support/settable-clock.ts';
import type { Release } from './handlers.ts';
import { type Answers, noProgress, type Order, type OrderedPause, type Progress } from './orders.ts';
import { putOffCalls } from './put-off-calls.ts';
import { SeededRandom } from './seeded-random.ts';
import { Blocks } from '../../src/engine/ledger/blocks.ts';
import { PauseService } from '../../src/capabilities/pauses/pause-service.ts';
import { DeadLetterService } from '../../src/capabilities/dead-letters/dead-letter-service.ts';
import { BudgetWatch } from '../../src/capabilities/budgets/budget-watch.ts';

export interface OrderedHost {
  readonly host: Host;
  /** As they were opened, without fault points. */
  readonly stores: Stores;
  readonly points: FaultPoints;
  readonly disk: DiskSpace;
  readonly clock: SettableClock;
  readonly release: Release;
  readonly seed: number;
  /** How many messages the run admits. */
  readonly messages: number;
}

/** Does what the run asks of a host process. */
export async function carryOut(order: Order, ordered: OrderedHost): Promise<Answers[Order['kind']]> {
  switch (order.kind) {
    case 'admit':
      return await admitLot({ indexes: order.indexes, ...ordered });
    case 'progress':
      return await readProgress(ordered.stores);
    case 'arm':
      ordered.points.arm(order.point);
      return true;
    case 'notify_again':
      return { notified: await notifyAgain(order.count, order.salt, ordered.stores) };
    case 'expire_leases':
      return { expired: await expireLeases(ordered.stores) };
    case 'pause':
      return await place(order.pause, ordered);
    case 'resume':
      return await resume(order.pause, ordered);
    case 'budget_faults': {
      const faults = await ordered.host.service(BudgetWatch).ledger.findFaults();
      return faults.map(({ budget, windowStart, what }) => `${budget} ${windowStart.toISOString()}: ${what}`);
    }
    case 'define_budgets':
      await ordered.host.service(BudgetWatch).begin();
      return true;
    case 'report':
      return await report(ordered);
    case 'export_backlog':
      return await ordered.host.exports.backlog();
    case 'replay':
      return await replay(ordered);
    case 'fill_disk':
      ordered.disk.fill(order.forMs);
      return true;
    case 'set_clock':
      ordered.clock.setBy(order.byMs);
      return true;
    case 'batch_submit':
    case 'batch_steer':
    case 'batch_output':
    case 'batch_accounts':
      return await carryOutBatch(order, ordered);
  }
}

const operator = { actor: 'chaos', reason: 'the plan says so' };

async function replay({ host }: OrderedHost): Promise<Answers['replay']> {
  const { count } = await host
    .service(DeadLetterService)
    .replay({ filter: {}, max: 10_000, reason: operator.reason }, operator);
  return { replayed: count };
}

const dayMs = 86_400_000;

/** As `GET /v1/costs` makes it. */
async function report({ host, stores }: OrderedHost): Promise<Answers['report']> {
  const reports = new CostReports({
    store: stores.columns,
    exportLagSeconds: async () => (await host.exports.backlog()).oldestSeconds,
  });
  const now = Date.now();
  try {
    const { groups, totals } = await reports.report(
      {
        from: new Date(now - dayMs),
        to: new Date(now + dayMs),
        groupBy: ['customer'],
        filters: {},
        order: { by: 'cost', direction: 'desc' },
        limit: 1000,
        messages: 'none',
      },
      {},
    );
    return {
      kind: 'answered',
      report: {
        groups: groups.map(({ key, calls, costUsd }) => ({ customer: key.customer ?? '', calls, costUsd })),
        suspectCalls: totals.suspectCalls,
      },
    };
  } catch (error) {
    return { kind: 'refused', code: error instanceof AppError ? error.code : String(error) };
  }
}

async function place(pause: OrderedPause, { host }: OrderedHost): Promise<true> {
  // What began before and has not ended yet is waited for once more.
  const pauses = new Blocks({ database: host.stores.database, clock: host.clock.time });
  while ((await pauses.place({ ...pause, ...operator })).stragglers > 0);
  return true;
}

/** Lifting what does not stand any more is done already. */
async function resume(pause: OrderedPause, { host }: OrderedHost): Promise<true> {
  await host
    .service(PauseService)
    .resume(pause, operator.reason, operator)
    .catch((error: unknown) => {
      if (!(error instanceof AppError) || error.code !== 'MILLRACE_NOT_FOUND') throw error;
    });
  return true;
}

const progress = {
  name: 'chaos.progress',
  text: `select (select count(*) from millrace.messages where stage <> '' and finished_at is not null)::int as ended,
     (select count(*) from millrace.messages where sweep_at is not null)::int as open,
     (select count(*) from millrace.calls where state = 'reserved')::int as reserved,
     ((select count(*) from millrace.outbox) + (select count(*) from millrace.export_batches where exported_at is null))::int as unexported,
     greatest(0, (select max(extract(epoch from available_at - clock_timestamp()) * 1000) from millrace.messages
       where state = 'pending' and parked_for is null and expired_leases > 0))::float8 as "dueInMs",
     ${putOffCalls}
       + (select count(*) from millrace.provider_batches where state not in ('closed', 'unresolved'))::int as "putOff",
     (select coalesce(json_agg(json_build_object('name', b.name, 'state', b.state, 'items', b.items,
        'ended', b.succeeded + b.failed + b.expired + b.cancelled + b.skipped, 'endedAt', b.ended_at)), '[]')
      from millrace.batches b) as batches`,
};

async function readProgress({ database }: Stores): Promise<Progress> {
  const { rows } = await database.query<Progress>(progress);
  return rows[0] ?? noProgress;
}

interface MessageRow {
  readonly id: string;
  readonly stage: string;
}

const someMessages = {
  name: 'chaos.some_messages',
  text: `select id, stage from millrace.messages where stage <> '' order by md5(id::text || $1) limit $2`,
};

async function notifyAgain(count: number, salt: string, stores: Stores): Promise<number> {
  const { rows } = await stores.database.query<MessageRow>(someMessages, [salt, count]);
  const random = new SeededRandom(salt);
  // Told again, now and after a while, whatever else is queued.
  const notifications = rows.flatMap((row) =>
    [0, random.whole(1, 300)].map((delayMs) => ({
      stage: row.stage,
      notification: { messageId: row.id, delayMs },
    })),
  );
  for (const { stage, notification } of random.shuffle(notifications)) {
    await stores.queues.queue(stage).add([notification]);
  }
  return notifications.length;
}

const expire = {
  name: 'chaos.expire_leases',
  text: `update millrace.messages set lease_until = clock_timestamp() - interval '1 millisecond', sweep_at = clock_timestamp()
   where state = 'leased' returning id, stage`,
};

async function expireLeases(stores: Stores): Promise<number> {
  const { rows } = await stores.database.query<MessageRow>(expire);
  await Promise.all(
    [...new Set(rows.map((row) => row.stage))].map((stage) => stores.queues.queue(stage).add([{}])),
  );
  return rows.length;
}
