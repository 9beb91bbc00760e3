import { formatCount, renderTable } from '../../terminal/text-table.ts';
import type { DeliveryDocument, DeliveryList, WebhookList } from './webhook-documents.ts';

/** Webhooks, as a table for the terminal. */
export function webhookTable(webhooks: WebhookList['webhooks']): string {
  const titles = ['id', 'name', 'team', 'state', 'told of', 'taken', 'url'];
  return renderTable(
    titles.map((title) => ({ title })),
    webhooks.map(({ id, name, team, kind, state, cause, events, takenAt, url }) => [
      id,
      name,
      team ?? '',
      cause === undefined ? state : `${state} (${cause})`,
      events.length === 0 ? 'what names it' : events.join(' '),
      takenAt ?? '',
      url ?? `(${kind})`,
    ]),
  );
}

/** Deliveries, as a table for the terminal. */
export function deliveryTable(deliveries: DeliveryList['deliveries']): string {
  const columns = [
    { title: 'id' },
    { title: 'type' },
    { title: 'of' },
    { title: 'state' },
    { title: 'attempts', align: 'right' },
    { title: 'written' },
    { title: 'next' },
    { title: 'last answer' },
  ] as const;
  return renderTable(
    columns,
    deliveries.map(({ id, type, subject, state, attempts, createdAt, nextAt, lastStatus, lastProblem }) => [
      id,
      type,
      subject ?? '',
      state,
      formatCount(attempts),
      createdAt,
      nextAt ?? '',
      lastProblem ?? lastStatus?.toString() ?? '',
    ]),
  );
}

/** The attempts of a delivery, as a table for the terminal. */
export function attemptTable(log: DeliveryDocument['log']): string {
  const columns = [
    { title: 'attempt', align: 'right' },
    { title: 'at' },
    { title: 'ms', align: 'right' },
    { title: 'status' },
    { title: 'problem' },
  ] as const;
  return renderTable(
    columns,
    log.map(({ attempt, at, durationMs, status, problem }) => [
      formatCount(attempt),
      at,
      formatCount(durationMs),
      status?.toString() ?? '',
      problem ?? '',
    ]),
  );
}
