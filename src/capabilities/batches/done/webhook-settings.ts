import { z } from 'zod';
import { setting, urlOf } from '../../../kernel/setting.ts';

const prefix = 'whsec_';
const [minSecretBytes, maxSecretBytes] = [24, 64];

/** The bytes of a secret; undefined where it is none. */
function secretBytes(text: string): Buffer | undefined {
  if (!text.startsWith(prefix)) return undefined;
  const encoded = text.slice(prefix.length);
  const bytes = Buffer.from(encoded, 'base64');
  const isWhole = bytes.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '');
  return isWhole && bytes.length >= minSecretBytes && bytes.length <= maxSecretBytes ? bytes : undefined;
}

/** One webhook: where it is, what its requests are signed with, and whose batches may name it. */
export const webhookSchema = z.strictObject({
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

export type Webhook = z.output<typeof webhookSchema>;

/** The settings of webhooks, `batches.webhooks`. */
export const webhooksSettings = z.strictObject({
  webhooks: setting(z.record(z.string().min(1).max(64), webhookSchema).default({}), {
    help: 'Where the ends and halts of batches are told, by the name that batches give in `notify.webhook`: `{url, secret, teams?}`. The secret, `whsec_` and base64, signs the requests (docs/batches.md); with `teams` only their batches may name it.',
  }),
});

export type WebhooksSettings = z.output<typeof webhooksSettings>;

/** The webhook of this name, where batches of the team may name it. */
export function webhookOf({ webhooks }: WebhooksSettings, name: string, team: string): Webhook | undefined {
  const webhook = Object.hasOwn(webhooks, name) ? webhooks[name] : undefined;
  return webhook?.teams === undefined || webhook.teams.includes(team) ? webhook : undefined;
}
