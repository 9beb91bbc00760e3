import { onEachLedger } from '../support/each-ledger.ts';
import { claimsContract } from './claims.contract.ts';
import { exportRecordsContract } from './export-records.contract.ts';
import { exportRepairsContract } from './export-repairs.contract.ts';
import { handOverContract } from './hand-over.contract.ts';
import { ledgerCallsContract } from './ledger-calls.contract.ts';
import { ledgerCountsContract } from './ledger-counts.contract.ts';
import { messageStartsContract } from './message-starts.contract.ts';
import { ledgerMessagesContract } from './ledger-messages.contract.ts';
import { listOrderContract } from './list-order.contract.ts';
import { expiredLeasesContract } from './expired-leases.contract.ts';
import { payloadCleanerContract } from './payload-cleaner.contract.ts';
import { recordGroupsContract } from './record-groups.contract.ts';
import { rowVersionsContract } from './row-versions.contract.ts';
import { stageBacklogContract } from './stage-backlog.contract.ts';

onEachLedger(
  ledgerMessagesContract,
  messageStartsContract,
  ledgerCallsContract,
  exportRecordsContract,
  exportRepairsContract,
  recordGroupsContract,
  rowVersionsContract,
  handOverContract,
  claimsContract,
  stageBacklogContract,
  ledgerCountsContract,
  expiredLeasesContract,
  payloadCleanerContract,
  listOrderContract,
);
