import { onEachLedger } from '../support/each-ledger.ts';
import { batchCapsContract } from './batch-caps.contract.ts';
import { batchIntakeContract } from './batch-intake.contract.ts';
import { batchRemovalContract } from './batch-removal.contract.ts';

onEachLedger(batchIntakeContract, batchRemovalContract, batchCapsContract);
