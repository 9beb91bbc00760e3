import { acceptedFormat } from '../../http/accepted-format.ts';
import type { ExpositionFormat } from '../../telemetry/exposition.ts';

const openMetrics = 'application/openmetrics-text';

/** The format that a scraper wants, by its Accept header; the classic text for those who take neither. */
export function scrapeFormat(accept: string | undefined): ExpositionFormat {
  return acceptedFormat(accept, ['text/plain', openMetrics]) === openMetrics ? 'openmetrics' : 'text';
}
