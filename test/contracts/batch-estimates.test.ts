import { onEachLedger } from '../support/each-ledger.ts';
import { batchEstimatesContract } from './batch-estimates.contract.ts';

onEachLedger(batchEstimatesContract);
