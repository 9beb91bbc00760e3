import { expect, it } from 'vitest';
import { scrapeFormat } from './scrape-format.ts';

it.each([
  [
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    'openmetrics',
  ],
  [
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.2',
    'openmetrics',
  ],
  ['application/openmetrics-text', 'openmetrics'],
  ['text/plain, application/openmetrics-text;q=0.2', 'text'],
  ['application/openmetrics-text;q=0', 'text'],
  ['text/html,*/*;q=0.8', 'text'],
  ['application/json', 'text'],
  ['*/*', 'text'],
  [undefined, 'text'],
])('the format of a scrape for %s is %s', (accept, format) => {
  expect(scrapeFormat(accept)).toBe(format);
});
