import { onEachLedger } from '../support/each-ledger.ts';
import { periodsContract } from './periods.contract.ts';

onEachLedger(periodsContract);
