import { onEachLedger } from '../support/each-ledger.ts';
import { webhookDeliveriesContract } from './webhook-deliveries.contract.ts';
import { webhookEndpointsContract } from './webhook-endpoints.contract.ts';
import { webhookEventsContract } from './webhook-events.contract.ts';

onEachLedger(webhookDeliveriesContract, webhookEndpointsContract, webhookEventsContract);
