import { onEachLedger } from '../support/each-ledger.ts';
import { batchRunsContract } from './batch-runs.contract.ts';

onEachLedger(batchRunsContract);
