import { onEachLedger } from '../support/each-ledger.ts';
import { batchMoneyContract } from './batch-money.contract.ts';
import { batchOperationsContract } from './batch-operations.contract.ts';
import { batchRunsContract } from './batch-runs.contract.ts';

onEachLedger(batchRunsContract, batchOperationsContract, batchMoneyContract);
