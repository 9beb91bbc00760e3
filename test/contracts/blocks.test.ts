import { onEachLedger } from '../support/each-ledger.ts';
import { blocksContract } from './blocks.contract.ts';

onEachLedger(blocksContract);
