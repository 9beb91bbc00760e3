import { describe, expect, it } from 'vitest';
import { keepSecret, removeSecrets } from './known-secrets.ts';
import { redactText } from './log-redaction.ts';

const secret = 'un"usual/key+of=a-provider';

describe('a configured secret', () => {
  it.each([
    ['as it is', secret],
    ['in an address', encodeURIComponent(secret)],
    ['in JSON', JSON.stringify(secret).slice(1, -1)],
    ['in base64', Buffer.from(secret).toString('base64')],
    ['in base64 for addresses', Buffer.from(secret).toString('base64url')],
  ])('%s is taken out of a text', (_form, echoed) => {
    keepSecret(secret);
    expect(removeSecrets(`refused: ${echoed}, sorry`)).toBe('refused: [redacted], sorry');
  });

  it('is taken out of log lines, also where they are cut', () => {
    keepSecret(secret);
    expect(redactText(`${'x'.repeat(8180)}${secret}`)).not.toContain('un"usual');
  });

  it('that is too short to be one tears no holes into words', () => {
    keepSecret('key');
    expect(removeSecrets('the key')).toBe('the key');
  });
});
