import { onEachLedger } from '../support/each-ledger.ts';
import { webhookDeliveriesContract } from './webhook-deliveries.contract.ts';
import { webhookEndpointsContract } from './webhook-endpoints.contract.ts';

onEachLedger(webhookDeliveriesContract, webhookEndpointsContract);
