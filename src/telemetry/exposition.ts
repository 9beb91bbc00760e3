/* The two texts of a scrape. The registry writes OpenMetrics, the only one that knows exemplars; the other follows from it. */

export const expositionFormats = ['text', 'openmetrics'] as const;
export type ExpositionFormat = (typeof expositionFormats)[number];

/** The format that a scraper wants, by its Accept header: OpenMetrics only for those who name it. */
export function formatFor(accept: string | undefined): ExpositionFormat {
  const qualityOf = (type: string): number =>
    Math.max(0, ...(accept ?? '').split(',').map((range) => qualityIn(range, type)));
  const openMetrics = qualityOf('application/openmetrics-text');
  return openMetrics > 0 && openMetrics >= qualityOf('text/plain') ? 'openmetrics' : 'text';
}

function qualityIn(range: string, type: string): number {
  const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
  if (name !== type) return 0;
  const quality = parameters.find((parameter) => parameter.startsWith('q='));
  return quality === undefined ? 1 : Number(quality.slice(2)) || 0;
}

const counterHead = /^# HELP (\S+) (.*)\n# TYPE \1 counter$/gm;
// A label's value cannot look like one: its quotation marks are escaped.
const exemplar = / # \{trace_id="\w+"\} \S+ \S+$/gm;
const end = /^# EOF\n/m;

/** The classic text format of an OpenMetrics exposition: counters are named as their samples, and there are no exemplars. */
export function classicText(openMetrics: string): string {
  return openMetrics
    .replace(counterHead, '# HELP $1_total $2\n# TYPE $1_total counter')
    .replace(exemplar, '')
    .replace(end, '');
}
