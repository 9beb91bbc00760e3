import { onEachLedger } from '../support/each-ledger.ts';
import { joinsContract } from './joins.contract.ts';

onEachLedger(joinsContract);
