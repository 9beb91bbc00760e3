import { expect, it } from 'vitest';
import { keepSecret } from '../../telemetry/known-secrets.ts';
import { failureDetail } from './run-outcome.ts';

it('a configured secret is taken out of the detail of a dead letter, at every depth', () => {
  const secret = 'an unusual key of a provider';
  keepSecret(secret);
  const detail = failureDetail(new Error(`key ${secret}`, { cause: `again ${secret}` }));
  expect(detail).not.toContain('unusual');
});
