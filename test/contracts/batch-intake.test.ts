import { onEachLedger } from '../support/each-ledger.ts';
import { batchCapsContract } from './batch-caps.contract.ts';
import { batchIntakeContract } from './batch-intake.contract.ts';

onEachLedger(batchIntakeContract, batchCapsContract);
