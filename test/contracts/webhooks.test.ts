import { onEachLedger } from '../support/each-ledger.ts';
import { webhooksContract } from './webhooks.contract.ts';

onEachLedger(webhooksContract);
