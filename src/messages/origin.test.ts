import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../kernel/app-error.ts';
import { parseOrigin } from './origin.ts';

const complete = { team: 'blue', customer: 'acme', feature: 'search' };

describe('parseOrigin', () => {
  it('takes a complete origin as it is', () => {
    const origin = { ...complete, batch: 'night', labels: { region: 'eu' } };
    expect(parseOrigin(origin)).toEqual(origin);
    expect(parseOrigin({ ...complete, labels: {} })).toEqual(complete);
  });

  it('names every faulty field at once', () => {
    const faulty = { team: '', customer: 'a\nb', batch: ' x', labels: { 'Bad Key': 'v' }, extra: 1 };
    try {
      parseOrigin(faulty);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(AppError);
      const fields = (error as AppError).faults.map((fault) => fault.field);
      expect(fields).toEqual(
        expect.arrayContaining([
          'origin.team',
          'origin.customer',
          'origin.feature',
          'origin.batch',
          'origin.labels.Bad Key',
          'origin',
        ]),
      );
    }
  });

  it.each(['team', 'customer', 'feature'])('refuses an origin without %s', (field) => {
    expect(() => parseOrigin({ ...complete, [field]: undefined })).toThrow(
      expect.objectContaining({ code: 'MILLRACE_ORIGIN_INVALID' }),
    );
  });

  it('refuses more than 16 labels and names over 128 characters', () => {
    const labels = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 'v']));
    expect(() => parseOrigin({ ...complete, labels })).toThrow('at most 16 labels');
    expect(() => parseOrigin({ ...complete, team: 'x'.repeat(129) })).toThrow('origin.team');
  });

  it('refuses the label "__proto__", which would be lost, and tells the other faults with it', () => {
    const labels: unknown = JSON.parse('{"region":"eu","__proto__":"x"}');
    const faultsOf = (origin: unknown): readonly string[] => {
      try {
        parseOrigin(origin);
        return [];
      } catch (error) {
        return error instanceof AppError ? error.faults.map(({ field }) => field) : [String(error)];
      }
    };
    expect(faultsOf({ ...complete, labels })).toEqual(['origin.labels.__proto__']);
    expect(faultsOf({ ...complete, team: '', labels })).toEqual(['origin.team', 'origin.labels.__proto__']);
  });

  it('refuses whatever is no origin, and never throws anything but its error', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        try {
          const origin = parseOrigin(value);
          return origin.team.length > 0;
        } catch (error) {
          return error instanceof AppError && error.code === 'MILLRACE_ORIGIN_INVALID';
        }
      }),
    );
  });
});
