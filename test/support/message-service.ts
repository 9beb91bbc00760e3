import { MessageOperations } from '../../src/capabilities/message-operations/message-operations.ts';
import { MessageSearch } from '../../src/capabilities/message-operations/message-search.ts';
import { MessageService } from '../../src/capabilities/message-operations/message-service.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { MessageCancellations } from '../../src/engine/ledger/message-cancellations.ts';
import { MessageCanceller } from '../../src/engine/pipeline/message-canceller.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Uuid } from '../../src/kernel/ids.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

/** What operators do with messages, over a ledger; told of every stage that would be notified. */
export function messageServiceOver(
  database: SqlDatabase,
  notify: (stage: string, id: Uuid) => void,
): MessageService {
  const publisher = { notify };
  return new MessageService({
    search: new MessageSearch(database),
    operations: new MessageOperations(database),
    canceller: new MessageCanceller({
      ledger: new MessageCancellations(database),
      publisher,
      metrics: createMetrics(metricCatalogue),
      clock: systemClock,
    }),
    bodies: { read: () => Promise.resolve(undefined) },
    publisher,
    clock: systemClock,
  });
}
