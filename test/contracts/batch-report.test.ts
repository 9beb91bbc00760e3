import { onEachLedger } from '../support/each-ledger.ts';
import { batchReportContract } from './batch-report.contract.ts';

onEachLedger(batchReportContract);
