import { onEachLedger } from '../support/each-ledger.ts';
import { budgetsContract } from './budgets.contract.ts';

onEachLedger(budgetsContract);
