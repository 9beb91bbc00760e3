import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

/* The operator's file dashboards/owners.yml: who is told of what, and where links lead. */

const name = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]*$/, 'is made of letters, digits, dots, dashes and underscores');
const secretFile = z
  .string()
  .startsWith('/', 'is the absolute path of a file on the machine of Alertmanager');
const baseUrl = z.string().min(1).regex(/[^/]$/, 'has no slash at its end');

const channelSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('webhook'),
    url: z.url({ protocol: /^https?$/ }),
    /** A bearer token. */
    tokenFile: secretFile.optional(),
  }),
  z.strictObject({ kind: z.literal('slack'), channel: z.string().min(1), apiUrlFile: secretFile }),
  z.strictObject({
    kind: z.literal('email'),
    to: z.email(),
    from: z.email(),
    /** Host and port. */
    smarthost: z.string().regex(/^[^\s:]+:\d+$/, 'is host:port'),
    username: z.string().min(1).optional(),
    passwordFile: secretFile.optional(),
  }),
  z.strictObject({ kind: z.literal('pagerduty'), routingKeyFile: secretFile }),
]);

const ownersSchema = z
  .strictObject({
    grafanaUrl: baseUrl,
    runbooksUrl: baseUrl,
    channels: z.record(name, channelSchema),
    onCall: z.array(name),
    deadMan: z.array(name),
    platform: z.array(name),
    // Owners of stages and teams of origins are free texts.
    teams: z.record(z.string().min(1), z.array(name)),
  })
  .superRefine((owners, context) => {
    const used = [
      ['onCall', owners.onCall] as const,
      ['deadMan', owners.deadMan] as const,
      ['platform', owners.platform] as const,
      ...Object.entries(owners.teams).map(([team, names]) => [`teams.${team}`, names] as const),
    ];
    for (const [path, names] of used) {
      for (const missing of names.filter((channel) => !Object.hasOwn(owners.channels, channel)))
        context.addIssue({
          code: 'custom',
          message: `${path} names the channel "${missing}", which is not there`,
        });
    }
  });

/** One way to reach somebody. */
export type Channel = z.output<typeof channelSchema>;
/** The checked file. */
export type Owners = z.output<typeof ownersSchema>;

/** Reads owners from their text. Throws with every fault of it. */
export function parseOwners(yaml: string): Owners {
  const result = ownersSchema.safeParse(parse(yaml));
  if (result.success) return result.data;
  throw new Error(`The owners file is not valid:\n${z.prettifyError(result.error)}`);
}

/** The operator's own. */
export async function readOwners(): Promise<Owners> {
  return parseOwners(await readFile(join(import.meta.dirname, '..', 'owners.yml'), 'utf8'));
}
