import { onEachLedger } from '../support/each-ledger.ts';
import { messagesContract } from './messages.contract.ts';

onEachLedger(messagesContract);
