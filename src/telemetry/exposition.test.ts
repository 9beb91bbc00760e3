import { describe, expect, it } from 'vitest';
import { classicText } from './exposition.ts';

describe('classicText', () => {
  it('names counters by their samples, and leaves exemplars and the end out', () => {
    const openMetrics = [
      '# HELP calls Calls # {x}.',
      '# TYPE calls counter',
      String.raw`calls_total{model="a # {trace_id=\"b\"} 1 2"} 3`,
      '# HELP wait_seconds Wait.',
      '# TYPE wait_seconds histogram',
      'wait_seconds_bucket{le="1",stage="# {s}"} 2 # {trace_id="0af7"} 0.5 1700000000.123',
      'wait_seconds_bucket{le="+Inf"} 2',
      '# EOF',
      '',
    ].join('\n');
    expect(classicText(openMetrics).split('\n')).toEqual([
      '# HELP calls_total Calls # {x}.',
      '# TYPE calls_total counter',
      String.raw`calls_total{model="a # {trace_id=\"b\"} 1 2"} 3`,
      '# HELP wait_seconds Wait.',
      '# TYPE wait_seconds histogram',
      'wait_seconds_bucket{le="1",stage="# {s}"} 2',
      'wait_seconds_bucket{le="+Inf"} 2',
      '',
    ]);
  });
});
