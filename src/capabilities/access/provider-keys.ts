import type { CompactJWSHeaderParameters, createLocalJWKSet, FlattenedJWSInput, JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { isLoopbackHost } from '../../http/loopback.ts';
import { AppError } from '../../kernel/app-error.ts';
import { type Clock, within } from '../../kernel/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { accessErrors } from './access-errors.ts';

/*
 * The signing keys of an identity provider. They are read when they are first needed, again when they are ten minutes old, and when a
 * token names one that is not among them, at most once in half a minute: keys may change at any time, and strangers must not make
 * this process ask the provider as often as they like. While the provider is away the last keys are good for a day.
 *
 * `createRemoteJWKSet` of jose does much of this, by the machine's clock and without a bound on what it reads.
 */

export interface ProviderKeysOptions {
  readonly issuer: string;
  readonly jwksUrl: string | undefined;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
}

type FindKey = ReturnType<typeof createLocalJWKSet>;

const freshMs = 600_000;
const staleMs = 86_400_000;
const pauseMs = 30_000;
const timeoutMs = 5_000;
const maxBytes = 262_144;

const discoverySchema = z.looseObject({ issuer: z.string(), jwks_uri: z.url() });
const keySetSchema = z.looseObject({
  keys: z.array(z.looseObject({ kty: z.string() })).max(100),
});

export class ProviderKeys {
  readonly #options: ProviderKeysOptions;
  #keys: { readonly find: FindKey; readonly readMs: number } | undefined;
  #triedMs = -Infinity;
  #reading: Promise<void> | undefined;

  constructor(options: ProviderKeysOptions) {
    this.#options = options;
  }

  /** The key that a token is signed with. Throws jose's errors, and MILLRACE_IDENTITY_PROVIDER_UNAVAILABLE. */
  async find(header: CompactJWSHeaderParameters, token: FlattenedJWSInput): ReturnType<FindKey> {
    const { errors } = await import('jose');
    const keys = await this.#present(freshMs);
    try {
      return await keys.find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const newer = await this.#present(0);
      if (newer === keys) throw error;
      return await newer.find(header, token);
    }
  }

  /** The keys, read again when they are older than that and it is time to ask. */
  async #present(maxAgeMs: number): Promise<{ readonly find: FindKey; readonly readMs: number }> {
    const nowMs = this.#options.clock.monotonicMs();
    const age = this.#keys === undefined ? Infinity : nowMs - this.#keys.readMs;
    if (this.#reading !== undefined || (age >= maxAgeMs && nowMs - this.#triedMs >= pauseMs)) {
      this.#reading ??= this.#read(nowMs).finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    }
    if (this.#keys !== undefined && nowMs - this.#keys.readMs < staleMs) return this.#keys;
    throw new AppError(
      accessErrors.MILLRACE_IDENTITY_PROVIDER_UNAVAILABLE,
      'The signing keys of the identity provider cannot be read.',
      { retryAfterMs: pauseMs },
    );
  }

  /** Reads the keys; what fails is logged, and the last ones stay. */
  async #read(nowMs: number): Promise<void> {
    this.#triedMs = nowMs;
    const { issuer, jwksUrl, logger } = this.#options;
    try {
      const jose = await import('jose');
      const url = jwksUrl ?? (await this.#discover(issuer));
      const keySet = keySetSchema.parse(await this.#get(url));
      this.#keys = { find: jose.createLocalJWKSet(keySet satisfies JSONWebKeySet), readMs: nowMs };
    } catch (error) {
      logger.warn({ issuer, error }, 'the signing keys of the identity provider could not be read');
    }
  }

  async #discover(issuer: string): Promise<string> {
    const place = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const found = discoverySchema.parse(await this.#get(place));
    if (found.issuer !== issuer) throw new Error(`it calls itself ${JSON.stringify(found.issuer)}`);
    const { protocol, host } = new URL(found.jwks_uri);
    if (protocol !== 'https:' && !(protocol === 'http:' && isLoopbackHost(host)))
      throw new Error('the address of its keys does not begin with https://');
    return found.jwks_uri;
  }

  /** A small JSON document, within its time. A redirect is not followed: it would lead to an address that nobody configured. */
  async #get(url: string): Promise<unknown> {
    const stop = new AbortController();
    const late = (): Error => new Error(`no answer within ${timeoutMs} ms`);
    try {
      return await within(this.#options.clock, timeoutMs, readJson(url, stop.signal), late);
    } finally {
      stop.abort();
    }
  }
}

async function readJson(url: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, { redirect: 'manual', signal, headers: { accept: 'application/json' } });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new Error(`it answers with HTTP ${response.status}`);
  }
  const body: ReadableStream<Uint8Array> = response.body;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.byteLength;
    if (bytes > maxBytes) throw new Error(`its answer is larger than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return JSON.parse(Buffer.concat(pieces).toString('utf8')) as unknown;
}
