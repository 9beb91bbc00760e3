/** Metrics of the catalogue that no board shows, and why. */
export const unshownMetrics: Readonly<Record<string, string>> = {
  ledger_reduced_writes_total:
    'rare, and each is said in the log with its reason; nothing is lost that counts',
  payloads_removed_total: 'housekeeping: nobody has to act on how much the retention removes',
  startup_findings:
    'said in the log at each start and by `millrace check`; it does not change while a process runs',
};
