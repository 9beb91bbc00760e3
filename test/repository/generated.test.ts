import { describe, expect, it } from 'vitest';
import { generatedDocuments } from '../../scripts/generated-documents.ts';
import { errorCodes } from '../../src/host/error-codes.ts';
import { tokenClasses } from '../../src/pricing/token-classes.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { repositoryFiles } from './repository-files.ts';

const files = new Map(repositoryFiles().map(({ path, text }) => [path, text]));

describe('generated files', () => {
  it.each(generatedDocuments)('$path is what the code says', async ({ path, render }) => {
    expect(files.get(path)).toBe(await render());
  });

  it('describe every error code', () => {
    for (const code of Object.keys(errorCodes))
      expect(files.get('docs/errors.md')).toContain(`| \`${code}\` |`);
  });

  it('describe every metric', () => {
    for (const name of Object.keys(metricCatalogue)) {
      expect(files.get('docs/metrics.md')).toContain(`| \`millrace_${name}\` |`);
    }
  });
});

describe('the error codes', () => {
  it.each(Object.entries(errorCodes))(
    '%s has a status, and says what happened and what to do',
    (code, entry) => {
      expect(code).toMatch(/^MILLRACE(?:_[A-Z]+)+$/);
      expect(entry.status).toBeGreaterThanOrEqual(400);
      expect(entry.status).toBeLessThan(600);
      expect(entry.what).toMatch(/^[A-Z].*\.$/);
      expect(entry.todo).toMatch(/^[A-Z].*\.$/);
    },
  );
});

describe('the metric catalogue', () => {
  it('counts tokens by exactly the classes that are priced', () => {
    expect(metricCatalogue.tokens_total.labels.class).toEqual(tokenClasses);
  });
});
