import { onEachLedger } from '../support/each-ledger.ts';
import { batchMoneyContract } from './batch-money.contract.ts';
import { batchOperationsContract } from './batch-operations.contract.ts';
import { batchQualityContract } from './batch-quality.contract.ts';
import { batchRunsContract } from './batch-runs.contract.ts';
import { sharedAnswersContract } from './shared-answers.contract.ts';

onEachLedger(
  batchRunsContract,
  batchOperationsContract,
  batchMoneyContract,
  batchQualityContract,
  sharedAnswersContract,
);
