import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'dashboards/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Real servers on a machine that others load: a test that fails in CI is tried again, and reported as flaky.
    retry: process.env['CI'] === 'true' ? 2 : 0,
    pool: 'forks',
    maxWorkers: 2,
  },
});
