import { secretAccountFields } from './provider-account.ts';

/** What of a provider's configuration can hold secrets. */
export interface ProviderCredentials {
  readonly apiKey?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly baseUrl?: string | undefined;
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
  readonly sessionToken?: string | undefined;
  readonly accessToken?: string | undefined;
}

/** Headers that carry keys of gateways; others are ordinary words. */
const secretHeader = /auth|key|token|secret|cookie|pass|credential|session|sign/i;

/**
 * What is sent to the provider that nobody else may know: its key, those of gateways before it, passwords. Without white
 * space around them, as they are sent.
 */
export function secretsOfProvider(credentials: ProviderCredentials): readonly string[] {
  const { apiKey, headers = {}, baseUrl } = credentials;
  const secrets = [
    apiKey ?? '',
    ...secretAccountFields.map((field) => credentials[field] ?? ''),
    ...Object.entries(headers)
      .filter(([name]) => secretHeader.test(name))
      .flatMap(([, value]) => secretsOfHeader(value)),
    ...(baseUrl === undefined ? [] : secretsOfAddress(baseUrl)),
  ];
  return secrets.map((secret) => secret.trim()).filter((secret) => secret !== '');
}

/** The passwords in an address: before its host, and in its query. As they stand, and decoded. */
export function secretsOfAddress(address: string): readonly string[] {
  if (!URL.canParse(address)) return [];
  const { password, searchParams } = new URL(address);
  const secrets = [password];
  try {
    secrets.push(decodeURIComponent(password));
  } catch {
    // Not encoded: it is kept as it stands.
  }
  for (const [name, value] of searchParams) if (secretHeader.test(name)) secrets.push(value);
  return secrets.filter((secret) => secret !== '');
}

function secretsOfHeader(given: string): string[] {
  const value = given.trim();
  const credentials = value.replace(/^(?:bearer|basic|token)\s+/i, '');
  if (!/^basic\s/i.test(value)) return [credentials];
  const decoded = Buffer.from(credentials, 'base64').toString('utf8');
  return [credentials, decoded, decoded.slice(decoded.indexOf(':') + 1)];
}
