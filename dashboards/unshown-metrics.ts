/** Metrics of the catalogue that no board shows, and why. */
export const unshownMetrics: Readonly<Record<string, string>> = {
  budget_alerts_total: 'each is said in the log with its figures; the board shows what is reached now',
  budget_enforced: 'only tells the alerts which budgets hold work back; it does not change by itself',
  ledger_reduced_writes_total:
    'rare, and each is said in the log with its reason; nothing is lost that counts',
  payloads_removed_total: 'housekeeping: nobody has to act on how much the retention removes',
  startup_findings:
    'said in the log at each start and by `millrace check`; it does not change while a process runs',
};
