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
    ['in base64 without padding', Buffer.from(secret).toString('base64').replaceAll('=', '')],
    ['in base64 within an address', encodeURIComponent(Buffer.from(secret).toString('base64'))],
    [
      'in an address in lower case',
      encodeURIComponent(secret).replaceAll(/%../g, (code) => code.toLowerCase()),
    ],
    ['in an address, escaped twice', encodeURIComponent(encodeURIComponent(secret))],
    ['in an address, every byte escaped', Buffer.from(secret).toString('hex').replaceAll(/../g, '%$&')],
    [
      'in JSON with escaped slashes',
      JSON.stringify(secret)
        .slice(1, -1)
        .replaceAll('/', String.raw`\/`),
    ],
    ['in HTML', secret.replaceAll('"', '&quot;')],
    ['in hexadecimal digits', Buffer.from(secret).toString('hex')],
  ])('%s is taken out of a text', (_form, echoed) => {
    keepSecret(secret);
    expect(removeSecrets(`refused: ${echoed}, sorry`)).toBe('refused: [redacted], sorry');
  });

  it.each(['', 'u', 'us', 'use', 'user', 'api-user'])(
    'is taken out of the base64 of Basic authentication with the user "%s"',
    (user) => {
      keepSecret(secret);
      for (const alphabet of ['base64', 'base64url'] as const) {
        for (const after of ['', '!', '!!', '!!!']) {
          const echoed = Buffer.from(`${user}:${secret}${after}`).toString(alphabet);
          const clean = removeSecrets(`refused: Basic ${echoed}`);
          expect(clean).toContain('[redacted]');
          // What is left around it tells less than a character of the secret at each side.
          const rest = clean.replace('refused: Basic ', '').replace('[redacted]', '');
          expect(rest.length).toBeLessThanOrEqual(Math.ceil(((user.length + 1 + after.length) * 8) / 6) + 4);
        }
      }
    },
  );

  it('is taken out of log lines, also where they are cut', () => {
    keepSecret(secret);
    expect(redactText(`${'x'.repeat(8180)}${secret}`)).not.toContain('un"usual');
  });

  it('that is too short to be one tears no holes into words', () => {
    keepSecret('key');
    expect(removeSecrets('the key')).toBe('the key');
  });
});
