import { onEachLedger } from '../support/each-ledger.ts';
import { modelHealthContract } from './model-health.contract.ts';

onEachLedger(modelHealthContract);
