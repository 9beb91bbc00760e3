import { onEachLedger } from '../support/each-ledger.ts';
import { auditContract } from './audit.contract.ts';

onEachLedger(auditContract);
