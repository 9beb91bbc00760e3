import { onUsualLedger } from '../support/each-ledger.ts';
import { schedulesContract } from './schedules.contract.ts';

onUsualLedger(schedulesContract);
