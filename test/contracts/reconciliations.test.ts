import { onEachLedger } from '../support/each-ledger.ts';
import { reconciliationsContract } from './reconciliations.contract.ts';

onEachLedger(reconciliationsContract);
