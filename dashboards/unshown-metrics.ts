/** Metrics of the catalogue that no board shows, and why. */
export const unshownMetrics: Readonly<Record<string, string>> = {};
