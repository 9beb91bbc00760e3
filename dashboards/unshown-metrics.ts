/** Metrics of the catalogue that no board shows, and why. */
export const unshownMetrics: Readonly<Record<string, string>> = {
  startup_findings:
    'said in the log at each start and by `millrace check`; it does not change while a process runs',
};
