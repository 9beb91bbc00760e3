import type { MillraceMetrics } from '../src/host/metric-catalogue.ts';

/** Metrics that count nothing: what the counting costs is the difference. */
export const silentMetrics: MillraceMetrics = {
  increment: () => undefined,
  set: () => undefined,
  observe: () => undefined,
  replace: () => undefined,
  beforeRender: () => () => undefined,
  initialise: () => undefined,
  readCounter: () => Promise.resolve([]),
  seriesCount: () => 0,
  seriesCap: 0,
  render: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
};
