import { onEachLedger } from '../support/each-ledger.ts';
import { deadLettersContract } from './dead-letters.contract.ts';
import { replayPlanContract } from './replay-plan.contract.ts';

onEachLedger(deadLettersContract, replayPlanContract);
