import { onEachLedger } from '../support/each-ledger.ts';
import { batchGaugesContract } from './batch-gauges.contract.ts';

onEachLedger(batchGaugesContract);
