import { onEachLedger } from '../support/each-ledger.ts';
import { priceOverridesContract } from './price-overrides.contract.ts';

onEachLedger(priceOverridesContract);
