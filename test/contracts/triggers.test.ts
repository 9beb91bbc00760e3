import { onEachLedger } from '../support/each-ledger.ts';
import { triggersContract } from './triggers.contract.ts';

onEachLedger(triggersContract);
