import { onEachLedger } from '../support/each-ledger.ts';
import { holdsContract } from './holds.contract.ts';

onEachLedger(holdsContract);
