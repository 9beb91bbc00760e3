import { WebhookReceiver } from './webhook-receiver.ts';
import { AddressPolicy, type Resolve } from '../../src/capabilities/webhooks/address-policy.ts';
import { DeliveryStore } from '../../src/capabilities/webhooks/delivery-store.ts';
import { EndpointStore } from '../../src/capabilities/webhooks/endpoint-store.ts';
import { addressRulesOf } from '../../src/capabilities/webhooks/open-webhooks.ts';
import { WebhookDeliveries } from '../../src/capabilities/webhooks/webhook-deliveries.ts';
import type { DeliveryDocument, NewWebhook } from '../../src/capabilities/webhooks/webhook-documents.ts';
import { createWebhookSchema } from '../../src/capabilities/webhooks/webhook-requests.ts';
import { WebhookSender } from '../../src/capabilities/webhooks/webhook-sender.ts';
import { WebhookService } from '../../src/capabilities/webhooks/webhook-service.ts';
import { webhooksSettings } from '../../src/capabilities/webhooks/webhook-settings.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import type { Operator } from '../../src/http/operator.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { emptyTables } from './empty-tables.ts';

/* Webhooks on a real ledger, with a receiver on this machine. */

export const ann = { actor: 'ann', team: 'blue' };
/** Of the endpoints of the configuration. */
export const configuredSecret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const tables = [
  'webhook_endpoints',
  'webhook_events',
  'webhook_deliveries',
  'webhook_attempts',
  'operator_actions',
].map((table) => `millrace.${table}`);
const never = new AbortController().signal;

export class WebhookFixture {
  readonly database: SqlDatabase;
  readonly receiver: WebhookReceiver;
  // What verifies looks at this machine's time.
  clock = new ManualClock(new Date());
  metrics = createMetrics(metricCatalogue);

  private constructor(database: SqlDatabase, receiver: WebhookReceiver) {
    this.database = database;
    this.receiver = receiver;
  }

  static async open(database: SqlDatabase): Promise<WebhookFixture> {
    return new WebhookFixture(database, await WebhookReceiver.start());
  }

  /** As if nothing had been. */
  async begin(): Promise<void> {
    await emptyTables(this.database, tables);
    this.receiver.forget();
    this.clock = new ManualClock(new Date());
    this.metrics = createMetrics(metricCatalogue);
  }

  get service(): WebhookService {
    return new WebhookService({
      store: new EndpointStore(this.database),
      policy: this.policy(),
      clock: this.clock,
    });
  }

  policy(resolve?: Resolve): AddressPolicy {
    return new AddressPolicy(addressRulesOf(this.#settings()), resolve);
  }

  /** What sends, in a process of its own. */
  machine(over = this.database, policy = this.policy()): WebhookDeliveries {
    const { clock, metrics } = this;
    return new WebhookDeliveries({
      store: new DeliveryStore(over),
      sender: new WebhookSender({ settings: this.#settings(), policy, clock, random: () => 0 }),
      metrics,
      clock,
      logger: silentLogger,
      keepDays: 30,
    });
  }

  /** Turns until nothing is due. */
  async deliver(deliveries = this.machine()): Promise<void> {
    while (await deliveries.turn(never));
  }

  /** Something ends that webhooks are told of. */
  happens(type = 'request.completed', { team = 'blue', named = '' } = {}): Promise<void> {
    const webhook = named === '' ? 'null' : `'${named}'`;
    return this.database.execute(
      `select millrace.write_webhook_event('${type}', gen_random_uuid(), '${team}', ${webhook}, '{"state":"completed"}'::json)`,
    );
  }

  /** Lets what waits be due. */
  due(): Promise<void> {
    return this.database.execute(
      `update millrace.webhook_deliveries set next_at = clock_timestamp() - interval '1 second';
       update millrace.webhook_endpoints set not_before = null`,
    );
  }

  /** Makes an endpoint at a path of the receiver. */
  subscribe(
    path = '/',
    more: Readonly<Record<string, unknown>> = {},
    operator: Operator = ann,
  ): Promise<NewWebhook> {
    const name = `hook${path.replaceAll('/', '-')}`;
    const wanted = { name, url: this.receiver.url(path), events: ['request.completed'], ...more };
    return this.service.create(createWebhookSchema.parse(wanted), operator);
  }

  /** How many attempts came to what. */
  async results(): Promise<Readonly<Record<string, number>>> {
    const { body: text } = await this.metrics.render();
    const counts = [...text.matchAll(/^millrace_webhook_attempts_total\{result="(\w+)"\} (\d+)$/gm)];
    return Object.fromEntries(
      counts.flatMap(([, result = '', count]) => (count === '0' ? [] : [[result, Number(count)]])),
    );
  }

  /** The newest delivery of an endpoint. */
  async newestOf(endpoint: string): Promise<DeliveryDocument> {
    const { deliveries } = await this.service.listDeliveries(endpoint, { limit: 1 }, ann);
    return await this.service.getDelivery(deliveries[0]?.id ?? '', ann);
  }

  #settings() {
    const { receiver } = this;
    return webhooksSettings.parse({
      endpoints: {
        ops: { url: receiver.url('/ops'), secret: configuredSecret },
        red: { url: receiver.url(), secret: configuredSecret, teams: ['red'] },
      },
      allowHttp: true,
      allowPrivate: ['127.0.0.0/8'],
      ports: [receiver.port],
    });
  }
}
