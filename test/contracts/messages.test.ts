import { onEachLedger } from '../support/each-ledger.ts';
import { messageWaiterContract } from './message-waiter.contract.ts';
import { messagesContract } from './messages.contract.ts';

onEachLedger(messagesContract, messageWaiterContract);
