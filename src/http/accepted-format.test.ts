import { describe, expect, it } from 'vitest';
import { acceptedFormat } from './accepted-format.ts';

const offered = ['application/json', 'text/csv'] as const;

describe('the accepted format', () => {
  it.each([
    [undefined, 'application/json'],
    ['', 'application/json'],
    ['*/*', 'application/json'],
    ['text/csv', 'text/csv'],
    ['TEXT/CSV; charset=utf-8', 'text/csv'],
    ['text/*', 'text/csv'],
    ['text/csv, application/json', 'text/csv'],
    ['application/json, text/csv', 'application/json'],
    ['text/csv, */*', 'text/csv'],
    ['text/csv;header=present;q=0.5, application/json;q=0.4', 'text/csv'],
    ['text/csv;note="a, b; q=0";q=0.5, application/json; Q=0.4', 'text/csv'],
    ['text/csv;note="never closed, application/json', 'text/csv'],
    ['nonsense, ;;, text/csv', 'text/csv'],
    ['text/csv, application/json;q=0.9', 'text/csv'],
    ['text/csv;q=0, */*', 'application/json'],
    ['application/json;q=0, */*;q=0.1', 'text/csv'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'application/json'],
    ['text/csv;q=nonsense', undefined],
    ['text/html', undefined],
    [', ;q=1', undefined],
    ['*/*;q=0', undefined],
  ])('for %j is %s', (accept, format) => {
    expect(acceptedFormat(accept, offered)).toBe(format);
  });
});
