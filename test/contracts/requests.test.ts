import { onEachLedger } from '../support/each-ledger.ts';
import { requestsContract } from './requests.contract.ts';

onEachLedger(requestsContract);
