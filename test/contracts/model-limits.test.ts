import { onEachLedger } from '../support/each-ledger.ts';
import { modelLimitsContract } from './model-limits.contract.ts';

onEachLedger(modelLimitsContract);
