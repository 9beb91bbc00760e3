import { z } from 'zod';
import { secretAccountFields } from '../engine/providers/provider-account.ts';
import { kindNamed, knownKindsText, providerKinds } from '../engine/providers/provider-kinds.ts';
import {
  type AccountKind,
  providerVariables,
  type VariableField,
} from '../engine/providers/provider-variables.ts';
import { onOff, secretText, setting, urlOf, wholeNumber } from '../kernel/setting.ts';

/* The settings of providers: one object each, and the accounts that the environment tells of. */

const secret = secretText.min(1).optional();
const place = z.string().trim().min(1).optional();

const providerSchema = z.strictObject({
  /** One of the kinds or another of its names; not needed where the provider's own name is one. */
  kind: z.string().optional(),
  baseUrl: urlOf('http:', 'https:').optional(),
  apiKey: secret,
  /** Which of OpenAI's endpoints chat models use. */
  api: z.enum(['responses', 'chat']).optional(),
  /** The catalogue provider whose prices apply, when it is neither that of the kind nor the provider's own name. */
  priceProvider: z.string().min(1).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  timeoutMs: wholeNumber(100, 3_600_000).optional(),
  /** How large an answer may be, decompressed. */
  maxAnswerBytes: wholeNumber(1024, 2_147_483_647).optional(),
  /** How long an answer that has begun may be silent. */
  idleTimeoutMs: wholeNumber(100, 3_600_000).optional(),
  /** Sends the call's and message's ids as request headers: for a provider of one's own, such as the simulator. */
  identify: z.boolean().optional(),
  region: place,
  accessKeyId: secret,
  secretAccessKey: secret,
  sessionToken: secret,
  resourceName: place,
  apiVersion: place,
  deploymentUrls: onOff.optional(),
  project: place,
  location: place,
  accessToken: secret,
  credentialsFile: place,
});

/** Providers by name; a name that is no kind needs one. */
export const providersSchema = z
  .record(z.string().regex(/^[a-z][a-z0-9_.-]*$/), providerSchema)
  .superRefine((providers, context) => {
    for (const [name, { kind }] of Object.entries(providers)) {
      if (kindNamed(kind ?? name) !== undefined) continue;
      const what =
        kind === undefined ? `is missing, and "${name}" is none by itself` : `"${kind}" is not known`;
      context.addIssue({
        code: 'custom',
        path: [name, 'kind'],
        message: `${what}; known are: ${knownKindsText()}`,
      });
    }
  });

type AccountSettings = Readonly<
  Record<AccountKind, Readonly<Partial<Record<VariableField, string | undefined>>>>
>;

const meanings: Readonly<Record<VariableField, string>> = {
  apiKey: 'the API key',
  baseUrl: 'the endpoint',
  region: 'the region',
  accessKeyId: 'the access key that signs requests',
  secretAccessKey: 'the secret of the access key',
  sessionToken: 'the token of temporary credentials',
  resourceName: 'the resource',
  apiVersion: "the API's version",
  project: 'the project',
  location: 'the location',
  accessToken: 'an OAuth token as it is, which nobody renews',
  credentialsFile: 'a file of credentials',
};

const isSecret = (field: string): boolean =>
  field === 'apiKey' || secretAccountFields.some((secretField) => secretField === field);

function accountSetting(kind: AccountKind, field: VariableField, variables: readonly string[]) {
  const [env = '', ...alsoEnv] = variables;
  const schema = isSecret(field) ? secret : field === 'baseUrl' ? urlOf('http:', 'https:').optional() : place;
  return setting(schema, {
    env,
    ...(alsoEnv.length === 0 ? {} : { alsoEnv }),
    help: `${providerKinds[kind].title}: ${meanings[field]}.`,
    ...(isSecret(field) ? { secret: true } : {}),
  });
}

// Made of the table of variables, whose keys and types do not survive a loop.
export const accountsSchema = z
  .strictObject(
    Object.fromEntries(
      Object.entries(providerVariables).map(([kind, fields]) => [
        kind,
        z
          .strictObject(
            Object.fromEntries(
              Object.entries<readonly string[]>(fields).map(([field, variables]) => [
                field,
                accountSetting(kind as AccountKind, field as VariableField, variables),
              ]),
            ),
          )
          .prefault({}),
      ]),
    ),
  )
  .prefault({}) as unknown as z.ZodPrefault<z.ZodType<AccountSettings, Partial<AccountSettings>>>;
