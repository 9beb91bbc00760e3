import { describe, expect, it } from 'vitest';
import { BatchValidators } from './batch-validators.ts';
import { qualitySchema, strataOf } from './quality-settings.ts';
import { signedRequest } from './webhook-request.ts';
import { webhookOf, webhookSchema, webhooksSettings } from './webhook-settings.ts';

const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
const url = 'https://hooks.example.com/';

describe('the validators of a process', () => {
  const validator = { validate: () => ({ ok: true }) };

  it('are found by name, and refused with every fault where a name is none or that of two', () => {
    const validators = new BatchValidators();
    validators.register([{ name: 'one', validator }]);
    expect([validators.find('one'), validators.find('two'), validators.names]).toEqual([
      validator,
      undefined,
      ['one'],
    ]);
    expect(() => validators.register(['one', '', 'a\u0000'].map((name) => ({ name, validator })))).toThrow(
      expect.objectContaining({
        code: 'MILLRACE_CONFIG_INVALID',
        faults: [
          { field: 'batchValidators.one', problem: 'two validators have this name' },
          expect.objectContaining({ field: 'batchValidators.' }),
          expect.objectContaining({ field: 'batchValidators.a\u0000' }),
        ],
      }),
    );
  });
});

describe('the settings of a quality gate', () => {
  it('check a hundred items at most, all of which have to pass, unless they say otherwise', () => {
    expect(qualitySchema.parse({ validator: 'v' })).toEqual({
      validator: 'v',
      sample: { size: 100, share: 100 },
      minimum: 100,
    });
  });

  it.each([
    ['customer', { by: 'customer', label: undefined }],
    ['team', { by: 'team', label: undefined }],
    ['label:tier', { by: 'label', label: 'tier' }],
    [undefined, { by: 'none', label: undefined }],
  ])('stratify by %s', (stratify, strata) => {
    expect(strataOf(qualitySchema.parse({ validator: 'v', sample: { stratify } }))).toEqual(strata);
  });

  it.each([
    { validator: '' },
    { validator: 'v', minimum: 101 },
    { validator: 'v', sample: { size: 0 } },
    { validator: 'v', sample: { size: 10_001 } },
    { validator: 'v', sample: { share: -1 } },
    { validator: 'v', sample: { stratify: 'label:' } },
    { validator: 'v', sample: { stratify: 'feature' } },
  ])('refuse %j', (quality) => {
    expect(qualitySchema.safeParse(quality).success).toBe(false);
  });
});

describe('webhooks', () => {
  it.each([
    [{ url, secret }, true],
    [{ url: 'http://127.0.0.1:8080/', secret, teams: ['blue'] }, true],
    [{ url: 'file:///etc/passwd', secret }, false],
    [{ url, secret: 'whsec_c2hvcnQ=' }, false],
    [{ url, secret: secret.slice('whsec_'.length) }, false],
    [{ url, secret: `${secret}!` }, false],
    [{ url }, false],
  ])('%j can be used: %s', (webhook, isGood) => {
    expect(webhookSchema.safeParse(webhook).success).toBe(isGood);
  });

  it('are there for the teams that may name them', () => {
    const settings = webhooksSettings.parse({
      webhooks: { ops: { url, secret }, red: { url, secret, teams: ['red'] } },
    });
    const found = ([name, team]: readonly [string, string]) => webhookOf(settings, name, team) !== undefined;
    const asked = [
      ['ops', 'blue'],
      ['red', 'red'],
      ['red', 'blue'],
      ['none', 'red'],
      ['constructor', 'red'],
    ] as const;
    expect(asked.map((one) => found(one))).toEqual([true, true, false, false, false]);
  });

  it('are sent what Standard Webhooks signs', () => {
    const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
    const request = signedRequest(
      { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}' },
      key,
      new Date(1_614_265_330_999),
    );
    // The example of its specification.
    expect(request.headers).toMatchObject({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });
});
