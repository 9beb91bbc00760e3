import { z } from 'zod';
import { commaList, onOff, setting, urlOf, wholeNumber } from '../../kernel/setting.ts';
import { maxSecretBytes, minSecretBytes, secretBytes } from './webhook-secret.ts';

/** A webhook of the configuration: where it is, what its requests are signed with, and whose work may name it. */
export const configuredWebhookSchema = z.strictObject({
  url: urlOf('https:', 'http:'),
  secret: z
    .string()
    .trim()
    .transform((text, context) => {
      const bytes = secretBytes(text);
      if (bytes !== undefined) return { text, bytes };
      context.addIssue({
        code: 'custom',
        message: `is whsec_ and ${minSecretBytes} to ${maxSecretBytes} random bytes in base64`,
      });
      return z.NEVER;
    }),
  teams: z.array(z.string().min(1)).optional(),
});

export type ConfiguredWebhook = z.output<typeof configuredWebhookSchema>;

/** The section `webhooks` of the configuration. */
export const webhooksSettings = z
  .strictObject({
    endpoints: setting(z.record(z.string().min(1).max(64), configuredWebhookSchema).default({}), {
      help: 'Endpoints that batches and requests may name: `{url, secret, teams?}` by name. The secret, `whsec_` and base64, signs what is sent (docs/webhooks.md); with `teams` only their work may name it. Its address is not checked against the rules below.',
    }),
    allowPrivate: setting(commaList(z.string().min(1).max(253)).optional(), {
      env: 'MILLRACE_WEBHOOKS_ALLOW_PRIVATE',
      help: 'Hosts, addresses and CIDR ranges that endpoints of the API may lead to though they are not public. A host that is named may have any address.',
    }),
    allowHttp: setting(onOff.default(false), {
      env: 'MILLRACE_WEBHOOKS_ALLOW_HTTP',
      help: 'Whether endpoints of the API may be reached without TLS.',
    }),
    ports: setting(commaList(wholeNumber(1, 65_535)).default([443]), {
      env: 'MILLRACE_WEBHOOKS_PORTS',
      help: 'Ports that endpoints of the API may have, beside 80 where `webhooks.allowHttp` is on.',
    }),
    keepDays: setting(wholeNumber(4, 3650).default(30), {
      env: 'MILLRACE_WEBHOOKS_KEEP_DAYS',
      help: 'How long events, their deliveries and attempts are kept; what waits for a disabled endpoint as well.',
    }),
  })
  .prefault({});

export type WebhooksSettings = z.output<typeof webhooksSettings>;
