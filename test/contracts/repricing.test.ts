import { onEachLedger } from '../support/each-ledger.ts';
import { repricingContract } from './repricing.contract.ts';

onEachLedger(repricingContract);
