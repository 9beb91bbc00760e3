import { onEachLedger } from '../support/each-ledger.ts';
import { providerBatchesContract } from './provider-batches.contract.ts';

onEachLedger(providerBatchesContract);
