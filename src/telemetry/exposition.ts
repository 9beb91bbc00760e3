/* The two texts of a scrape. The registry writes OpenMetrics, the only one that knows exemplars; the other follows from it. */

export const expositionFormats = ['text', 'openmetrics'] as const;
export type ExpositionFormat = (typeof expositionFormats)[number];

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
