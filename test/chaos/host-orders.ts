import type { Host } from '../../src/app/host.ts';
import type { Stores } from '../../src/app/stores.ts';
import type { WakeUp } from '../../src/drivers/queue/queue.ts';
import { type OriginColumns, originOfColumns } from '../../src/ledger/stored-message.ts';
import type { FaultPoints } from './fault-points.ts';
import type { Answers, Order, Progress } from './orders.ts';
import { SeededRandom } from './seeded-random.ts';
import { admittedAt, Report, Ticket } from './workload.ts';

export interface OrderedHost {
  readonly host: Host;
  /** As they were opened, without fault points. */
  readonly stores: Stores;
  readonly points: FaultPoints;
  readonly seed: number;
}

/** Does what the run asks of a host process. */
export async function carryOut(order: Order, ordered: OrderedHost): Promise<Answers[Order['kind']]> {
  switch (order.kind) {
    case 'admit':
      return await admit(order.indexes, ordered);
    case 'progress':
      return await readProgress(ordered.stores);
    case 'arm':
      ordered.points.arm(order.point);
      return true;
    case 'wake_again':
      return { woken: await wakeAgain(order.count, order.salt, ordered.stores) };
    case 'expire_leases':
      return { expired: await expireLeases(ordered.stores) };
  }
}

async function admit(indexes: readonly number[], { host, seed }: OrderedHost): Promise<Answers['admit']> {
  await Promise.all(
    indexes.map((index) => {
      const { kind, data, eventId, origin } = admittedAt(seed, index);
      const options = { id: eventId, source: 'chaos', item: data.key, origin };
      return kind === 'ticket'
        ? host.admissions.admit(Ticket.v1, data, options)
        : host.admissions.admit(Report.v1, data, options);
    }),
  );
  return { admitted: indexes.length };
}

const progress = {
  name: 'chaos.progress',
  text: `select (select count(*) from millrace.messages where stage <> '' and finished_at is not null)::int as ended,
     (select count(*) from millrace.messages where wake_at is not null)::int as open,
     (select count(*) from millrace.calls where state = 'reserved')::int as reserved,
     ((select count(*) from millrace.outbox) + (select count(*) from millrace.export_batches where exported_at is null))::int as unexported`,
};

async function readProgress({ database }: Stores): Promise<Progress> {
  const { rows } = await database.query<Progress>(progress);
  return rows[0] ?? { ended: 0, open: 0, reserved: 0, unexported: 0 };
}

interface WakeRow extends OriginColumns {
  readonly id: string;
  readonly stage: string;
  readonly fence: number;
  readonly lane: string;
  readonly trace_parent: string;
}

const wakeColumns = `id, stage, fence, lane, trace_parent, team, customer, feature, batch, labels`;

const someMessages = {
  name: 'chaos.some_messages',
  text: `select ${wakeColumns} from millrace.messages where stage <> '' order by md5(id::text || $1) limit $2`,
};

async function wakeAgain(count: number, salt: string, stores: Stores): Promise<number> {
  const { rows } = await stores.database.query<WakeRow>(someMessages, [salt, count]);
  const random = new SeededRandom(salt);
  // Jobs of their own, whatever else is queued for the message: no id that the host would ever give.
  const wakeUps = rows.flatMap((row) =>
    [1_000_000, 2_000_000].map((above) => ({
      row,
      wakeUp: wakeUpOf(row, above + random.whole(1, 900_000), random.whole(0, 300)),
    })),
  );
  for (const { row, wakeUp } of random.shuffle(wakeUps)) await stores.queues.queue(row.stage).add([wakeUp]);
  return wakeUps.length;
}

const expire = {
  name: 'chaos.expire_leases',
  text: `update millrace.messages set lease_until = clock_timestamp() - interval '1 millisecond', wake_at = clock_timestamp()
   where state = 'leased' returning ${wakeColumns}`,
};

async function expireLeases(stores: Stores): Promise<number> {
  const { rows } = await stores.database.query<WakeRow>(expire);
  await Promise.all(
    rows.map((row) => stores.queues.queue(row.stage).add([wakeUpOf(row, 3_000_000 + row.fence, 0)])),
  );
  return rows.length;
}

function wakeUpOf(row: WakeRow, fence: number, delayMs: number): WakeUp {
  return {
    messageId: row.id,
    fence,
    lane: row.lane,
    origin: originOfColumns(row),
    traceParent: row.trace_parent,
    delayMs,
  };
}
