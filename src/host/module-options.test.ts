import { expect, it } from 'vitest';
import type { MillraceModuleOptions } from './millrace.module.ts';
import { configurationOfModule } from './millrace.module.ts';

it('settings beside "config" are refused: they would be ignored without a word', () => {
  const misplaced = { schedules: { configured: [] }, environment: {} } as MillraceModuleOptions;
  expect(() => configurationOfModule(misplaced)).toThrow(/schedules: is no option; .*"config"/);
  expect(
    configurationOfModule({ config: { schedules: { configured: [] } }, environment: {} }).schedules
      .configured,
  ).toEqual([]);
});
