import { describe, expect, it } from 'vitest';
import { derivedId } from '../../kernel/ids.ts';
import { AddressPolicy } from './address-policy.ts';
import { DeliveryTurns, endpointSlots, slots } from './delivery-turns.ts';
import { ladderSeconds, maxAttempts, pauseSeconds, slowSeconds } from './retry-ladder.ts';
import { signedRequest } from './signed-request.ts';
import { newSecret, signingKeyOf, verificationKeyOf } from './webhook-secret.ts';
import { configuredWebhookSchema } from './webhook-settings.ts';

const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
const url = 'https://hooks.example.com/';

describe('webhooks of the configuration', () => {
  it.each([
    [{ url, secret }, true],
    [{ url: 'http://127.0.0.1:8080/', secret, teams: ['blue'] }, true],
    [{ url: 'file:///etc/passwd', secret }, false],
    [{ url, secret: 'whsec_c2hvcnQ=' }, false],
    [{ url, secret: secret.slice('whsec_'.length) }, false],
    [{ url, secret: `${secret}!` }, false],
    [{ url }, false],
  ])('%j can be used: %s', (webhook, isGood) => {
    expect(configuredWebhookSchema.safeParse(webhook).success).toBe(isGood);
  });
});

describe('what is sent', () => {
  it('is signed as Standard Webhooks says', () => {
    const key = {
      scheme: 'v1',
      bytes: Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64'),
    } as const;
    const request = signedRequest(
      { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}' },
      [key],
      new Date(1_614_265_330_999),
    );
    // The example of its specification.
    expect(request.headers).toMatchObject({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('is signed with secrets that are new each time, and whose private half is not shown', () => {
    for (const scheme of ['v1', 'v1a'] as const) {
      const made = newSecret(scheme);
      expect(signingKeyOf(made)?.scheme).toBe(scheme);
      expect(newSecret(scheme)).not.toBe(made);
      expect(verificationKeyOf(made)).toMatch(scheme === 'v1' ? /^whsec_/ : /^whpk_[A-Za-z0-9+/]{43}=$/);
    }
    expect(signingKeyOf('whsk_c2hvcnQ=')).toBeUndefined();
  });
});

describe('addresses that callers name', () => {
  const rules = { allowPrivate: [], allowHttp: false, ports: [443] };
  const policy = new AddressPolicy(rules);

  it.each([
    'https://hooks.example.com/x?y=z',
    'https://93.184.215.14/',
    'https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/',
  ])('may be %s', (text) => {
    expect(policy.problemOf(text)).toBeUndefined();
  });

  it.each([
    ['http://hooks.example.com/', 'must begin with https://'],
    ['ftp://hooks.example.com/', 'must begin with https://'],
    ['no url', 'is no URL'],
    ['https://user:word@hooks.example.com/', 'must hold no user name and no password'],
    ['https://hooks.example.com:22/', 'must use one of the ports 443'],
    ['https://hooks.example.com/#x', 'must have no fragment'],
  ])('may not be %s', (text, problem) => {
    expect(policy.problemOf(text)).toBe(problem);
  });

  it.each([
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '100.100.100.200',
    '169.254.169.254',
    '192.0.0.192',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '[::]',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:a9fe:a9fe]',
    '[::127.0.0.1]',
    '[fe80::1]',
    '[fec0::1]',
    '[fc00::1]',
    '[fd00:ec2::254]',
    '[ff02::1]',
    '[2002:7f00:1::]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b:1::7f00:1]',
    '[2001:0:4136:e378::]',
    '[2001:db8::1]',
    '[3fff::1]',
    '[5f00::1]',
    '[100::1]',
  ])('are refused that are %s', (host) => {
    expect(policy.problemOf(`https://${host}/`)).toBe('must not lead to an address that is not public');
  });

  it('are allowed beyond that as the configuration says, and no further', () => {
    const wider = new AddressPolicy({
      allowPrivate: ['10.20.0.0/16', 'fd00::/8', '127.0.0.1', 'hooks.internal'],
      allowHttp: true,
      ports: [443, 8443],
    });
    const isAllowed = (text: string) => wider.problemOf(text) === undefined;
    expect(
      [
        'http://10.20.1.1/',
        'https://[fd12::1]:8443/',
        'https://127.0.0.1/',
        'https://[::ffff:10.20.1.1]/',
        'http://hooks.internal./',
      ].map((one) => isAllowed(one)),
    ).toEqual([true, true, true, true, true]);
    expect(
      ['http://10.21.1.1/', 'https://127.0.0.2/', 'https://[::1]/', 'http://10.20.1.1:8080/'].map((one) =>
        isAllowed(one),
      ),
    ).toEqual([false, false, false, false]);
  });

  it('are looked at again where a name leads: one of them that is not public refuses all', () => {
    const answers = new Map([
      ['mixed.test', ['93.184.215.14', '10.0.0.1']],
      ['good.test', ['93.184.215.14', '2606:2800:21f:cb07::1']],
      ['zone.test', ['fe80::1%eth0']],
      ['hooks.internal', ['10.0.0.1']],
    ]);
    const looking = new AddressPolicy({ ...rules, allowPrivate: ['hooks.internal'] }, (hostname, done) => {
      const found = answers.get(hostname);
      if (found === undefined) done(Object.assign(new Error('away'), { code: 'ENOTFOUND' }), undefined);
      else
        done(
          null,
          found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
        );
    });
    const look = (hostname: string, all: boolean): unknown => {
      let answer: unknown;
      looking.lookup(hostname, { all }, (error, found) => {
        answer = error === null ? found : error.code;
      });
      return answer;
    };
    expect(look('good.test', true)).toHaveLength(2);
    expect(look('good.test', false)).toBe('93.184.215.14');
    expect(look('hooks.internal', false)).toBe('10.0.0.1');
    expect(['mixed.test', 'zone.test', 'none.test'].map((one) => look(one, true))).toEqual([
      'ADDRESS_REFUSED',
      'ADDRESS_REFUSED',
      'ENOTFOUND',
    ]);
  });

  it('fail a look-up by the machine itself as what it is', async () => {
    const code = await new Promise((resolve) => {
      new AddressPolicy(rules).lookup('no-such-name.invalid', { all: true }, (error) => resolve(error?.code));
    });
    expect(code).toMatch(/^(?:ENOTFOUND|EAI_AGAIN)$/);
  });
});

describe('the ladder', () => {
  it('has ten steps in some three days, each up to a fifth longer', () => {
    expect(maxAttempts).toBe(10);
    const days = ladderSeconds.reduce((sum, pause) => sum + pause, 0) / 86_400;
    expect(days).toBeGreaterThan(3);
    expect(days).toBeLessThan(4);
    expect([pauseSeconds(1, 0), pauseSeconds(2, 0), pauseSeconds(9, 0)]).toEqual([5, 300, 86_400]);
    expect(pauseSeconds(1, 0.999)).toBeGreaterThan(5.9);
  });

  const now = new Date('2026-03-01T00:00:00Z');
  it.each([
    [429, '120', 120],
    [429, undefined, 60],
    [502, undefined, 60],
    [504, 'soon', 60],
    [503, undefined, undefined],
    [503, '30', 30],
    [429, '-5', 60],
    [429, '999999999', 86_400],
    [429, 'Sun, 01 Mar 2026 00:10:00 GMT', 600],
    [429, 'Sun, 01 Mar 2020 00:10:00 GMT', 1],
    [429, '2026-03-01', 60],
    [500, '120', undefined],
    [200, '120', undefined],
    [undefined, '120', undefined],
  ])(
    'leaves an endpoint that answers %s with Retry-After %s alone for %s seconds',
    (status, asked, seconds) => {
      expect(slowSeconds(status, asked, now)).toBe(seconds);
    },
  );
});

describe('the turns of endpoints', () => {
  const of = (team: string, count: number) =>
    Array.from({ length: count }, (_, index) => ({ id: derivedId(new Date(0), team, String(index)), team }));
  /** Begins what there is room for; answers how many requests of each team. */
  function begin(turns: DeliveryTurns, endpoints: ReturnType<typeof of>): number {
    let begun = 0;
    for (const [id, room] of turns.share(endpoints)) {
      const endpoint = endpoints.find((one) => one.id === id);
      if (endpoint === undefined) throw new Error('It was asked for.');
      for (let one = 0; one < room; one += 1) turns.begin(endpoint);
      begun += room;
    }
    return begun;
  }

  it('give one endpoint a bounded part, and leave slots to other teams, however many hang', () => {
    const turns = new DeliveryTurns();
    expect(begin(turns, of('lonely', 1))).toBe(endpointSlots);
    const blue = begin(turns, of('blue', 100));
    expect(blue).toBeLessThan(slots / 2 + 1);
    const red = begin(turns, of('red', 100));
    const green = begin(turns, of('green', 100));
    expect([red, green].every((count) => count > 0)).toBe(true);
    expect(turns.free).toBeGreaterThan(0);
    expect(begin(turns, of('blue', 100))).toBe(0);
  });

  it('come to every endpoint, the one first that was served longest ago', () => {
    const turns = new DeliveryTurns();
    const endpoints = of('blue', 200);
    const served = new Set<string>();
    for (let round = 0; served.size < endpoints.length; round += 1) {
      expect(round).toBeLessThan(20);
      const begun: ReturnType<typeof of> = [];
      for (const id of turns.share(endpoints).keys()) {
        const endpoint = endpoints.find((one) => one.id === id);
        if (endpoint === undefined) throw new Error('It was asked for.');
        served.add(id);
        turns.begin(endpoint);
        begun.push(endpoint);
      }
      for (const endpoint of begun) turns.end(endpoint);
    }
    expect(turns.free).toBe(slots);
  });
});
