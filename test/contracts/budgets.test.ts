import { onEachLedger } from '../support/each-ledger.ts';
import { budgetWindowsContract } from './budget-windows.contract.ts';
import { budgetsContract } from './budgets.contract.ts';

onEachLedger(budgetsContract, budgetWindowsContract);
