import { onEachLedger } from '../support/each-ledger.ts';
import { waitsContract } from './waits.contract.ts';

onEachLedger(waitsContract);
