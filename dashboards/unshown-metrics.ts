/** Metrics of the catalogue that no board shows, and why. */
export const unshownMetrics: Readonly<Record<string, string>> = {
  budget_alerts_total: 'each is said in the log with its figures; the board shows what is reached now',
  budget_enforced: 'only tells the alerts which budgets hold work back; it does not change by itself',
  llm_shared_request_calls_total:
    'beside llm_shared_requests_total: how many requests a stage saves by an option that is off by default',
  llm_shared_requests_total: 'each is in llm_requests_total, which the boards show',
  ledger_reduced_writes_total:
    'rare, and each is said in the log with its reason; nothing is lost that counts',
  payloads_removed_total: 'housekeeping: nobody has to act on how much the retention removes',
  trigger_events_total: 'of the log and of queries until triggers have a board of their own',
  trigger_lag: 'of the log and of queries until triggers have a board of their own',
  trigger_resting: 'of the log and of queries until triggers have a board of their own',
  usage_told_total:
    'each refusal is answered to whoever told it, with why; what was recorded is on the cost boards',
  startup_findings:
    'said in the log at each start and by `millrace check`; it does not change while a process runs',
};
