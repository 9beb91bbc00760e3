import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { MillraceClientError } from './client-error.ts';
import { verifyWebhook } from './verify-webhook.ts';

/* Against the specification's own library: it signs what is verified here, and judges alike. */

const nowMs = Date.now();
const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;
const secret = newSecret();
const body = JSON.stringify({
  type: 'request.completed',
  timestamp: '2026-11-30T12:00:00Z',
  data: { id: 'abc', text: 'Grüße 😀' },
});
const id = 'msg_1';

function headersOf(
  signedWith: readonly string[],
  { atMs = nowMs, text = body }: { readonly atMs?: number; readonly text?: string } = {},
): Record<string, string> {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(atMs / 1000)),
    'webhook-signature': signedWith.map((one) => new Webhook(one).sign(id, new Date(atMs), text)).join(' '),
  };
}

const refusal = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => 'it was accepted',
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(MillraceClientError);
  expect(error).toMatchObject({ code: 'CLIENT_WEBHOOK_INVALID', retryable: false });
  return (error as MillraceClientError).message;
};

describe('a webhook', () => {
  it('that the library signed is verified, as text, as bytes, and with headers of any kind', async () => {
    const headers = headersOf([secret]);
    const verified = {
      id,
      type: 'request.completed',
      timestamp: '2026-11-30T12:00:00Z',
      data: { id: 'abc', text: 'Grüße 😀' },
      attemptedAt: new Date(Math.floor(nowMs / 1000) * 1000),
    };
    const bytes = new TextEncoder().encode(body);
    expect(await verifyWebhook(headers, body, secret)).toEqual(verified);
    expect(await verifyWebhook(new Headers(headers), bytes, [secret])).toEqual(verified);
    expect(await verifyWebhook(headers, bytes.buffer, secret.slice('whsec_'.length))).toEqual(verified);
    const capitals = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]),
    );
    expect(await verifyWebhook(capitals, body, secret)).toEqual(verified);
  });

  it('is verified with the old secret and with the new one while they change', async () => {
    const next = newSecret();
    for (const known of [secret, next, [newSecret(), secret]])
      expect((await verifyWebhook(headersOf([secret, next]), body, known)).id).toBe(id);
    expect((await verifyWebhook(headersOf([secret]), body, [next, secret])).id).toBe(id);
  });

  it('is refused with another secret, another body, another id, another time, or no signature', async () => {
    const headers = headersOf([secret]);
    const wrong = [
      () => verifyWebhook(headers, body, newSecret()),
      () => verifyWebhook(headers, `${body} `, secret),
      () => verifyWebhook({ ...headers, 'webhook-id': 'msg_2' }, body, secret),
      () =>
        verifyWebhook(
          { ...headers, 'webhook-timestamp': String(Math.floor(nowMs / 1000) + 1) },
          body,
          secret,
        ),
      () => verifyWebhook({ ...headers, 'webhook-signature': 'v1,AAAA v2,%%% v1a,AAAA v1' }, body, secret),
      () => verifyWebhook(headers, body, []),
    ];
    for (const one of wrong) expect(await refusal(one())).toContain('none of its signatures fits a secret');
    for (const name of Object.keys(headers))
      expect(await refusal(verifyWebhook({ ...headers, [name]: undefined }, body, secret))).toContain(name);
    expect(await refusal(verifyWebhook({ ...headers, 'webhook-timestamp': '1e9' }, body, secret))).toContain(
      'seconds',
    );
  });

  it('is refused when its attempt is more than five minutes away, as the library refuses it', async () => {
    for (const [offsetMs, isGood] of [
      [-250_000, true],
      [-400_000, false],
      [250_000, true],
      [400_000, false],
    ] as const) {
      const headers = headersOf([secret], { atMs: nowMs + offsetMs });
      const library = (): unknown => new Webhook(secret).verify(body, headers);
      if (isGood) {
        expect((await verifyWebhook(headers, body, secret)).id).toBe(id);
        expect(library()).toEqual(JSON.parse(body));
      } else {
        expect(await refusal(verifyWebhook(headers, body, secret))).toContain('timestamp');
        expect(library).toThrow('timestamp');
      }
    }
    const headers = headersOf([secret], { atMs: 1_700_000_000_000 });
    expect((await verifyWebhook(headers, body, secret, { nowMs: 1_700_000_300_000 })).id).toBe(id);
    expect(await refusal(verifyWebhook(headers, body, secret, { nowMs: 1_700_000_300_001 }))).toContain(
      'old',
    );
    expect(await refusal(verifyWebhook(headers, body, secret, { nowMs: 1_699_999_699_999 }))).toContain(
      'future',
    );
    const longAgo = headersOf([secret], { atMs: nowMs - 86_400_000 });
    expect((await verifyWebhook(longAgo, body, secret, { toleranceMs: 90_000_000 })).id).toBe(id);
  });

  it('that is signed but says nothing that Millrace says is refused', async () => {
    for (const text of ['no json', '[]', 'null', '{"type":1,"timestamp":"x"}']) {
      expect(await refusal(verifyWebhook(headersOf([secret], { text }), text, secret))).toContain('body');
    }
  });

  it('is verified by its public key where it is signed with Ed25519', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    const known = `whpk_${raw.toString('base64')}`;
    const seconds = String(Math.floor(nowMs / 1000));
    const signature = sign(null, Buffer.from(`${id}.${seconds}.${body}`), privateKey).toString('base64');
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': seconds,
      'webhook-signature': `v1a,${signature}`,
    };
    expect((await verifyWebhook(headers, body, known)).id).toBe(id);
    expect(await refusal(verifyWebhook(headers, `${body} `, known))).toContain('signatures');
    // The public key is no secret: as one it signs nothing.
    const asSecret = known.replace('whpk_', 'whsec_');
    expect(await refusal(verifyWebhook(headersOf([asSecret]), body, known))).toContain('signatures');
    await expect(verifyWebhook(headers, body, 'whsec_%%%')).rejects.toMatchObject({
      code: 'CLIENT_OPTION_INVALID',
    });
  });
});
