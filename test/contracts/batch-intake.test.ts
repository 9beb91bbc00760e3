import { onEachLedger } from '../support/each-ledger.ts';
import { batchIntakeContract } from './batch-intake.contract.ts';

onEachLedger(batchIntakeContract);
