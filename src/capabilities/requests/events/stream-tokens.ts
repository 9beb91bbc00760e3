import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { headerOf, pathOf } from '../../../http/request-facts.ts';
import type { UrlTokens } from '../../../http/url-tokens.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { isUuid, type Uuid } from '../../../kernel/ids.ts';
import type { StreamTokenSecret } from './stream-token-secret.ts';

/*
 * Tokens for `EventSource`, which sends no headers: each is good for reading the events of one request, for some minutes, by whoever has it. It says
 * whose key it was made with, so that what it does counts to that key and it is good no longer than that. It is encrypted with a secret that
 * all API processes know: whoever has it learns nothing of the team or the key.
 *
 *   mrs_<base64url of nonce, tag, request, key, end; of a person its team and name as well: AES-256-GCM>
 */

export interface StreamTokensOptions {
  readonly secret: Pick<StreamTokenSecret, 'current'>;
  readonly clock: Clock;
  readonly lifeMs: number;
}

/** A token with the moment from which it is of no use. */
export interface StreamToken {
  readonly token: string;
  readonly expiresAt: Date;
}

const prefix = 'mrs_';
const maxLength = 2048;
const nonceBytes = 12;
const tagBytes = 16;
const eventsPath = /^\/v1\/requests\/([0-9a-fA-F-]{36})\/events$/;

interface Claims {
  readonly request: Uuid;
  readonly key: Uuid;
  /** Of a person, of whom there is no row. */
  readonly person?: { readonly name: string; readonly team?: string | undefined };
  readonly untilMs: number;
}

export class StreamTokens implements UrlTokens {
  readonly #options: StreamTokensOptions;

  constructor(options: StreamTokensOptions) {
    this.#options = options;
  }

  /** Makes a token for one who may see the request. */
  async create(request: Uuid, { id, kind, name, team }: ApiKeyIdentity): Promise<StreamToken> {
    const { clock, lifeMs, secret } = this.#options;
    const untilMs = clock.now().getTime() + lifeMs;
    const claims: Claims = {
      request,
      key: id,
      ...(kind === undefined ? {} : { person: { name, team } }),
      untilMs,
    };
    const token = `${prefix}${sealed(JSON.stringify(claims), await secret.current())}`;
    return { token, expiresAt: new Date(untilMs) };
  }

  /** A header counts for more: it can do more, and is what the client meant. */
  async identify(request: object): Promise<ApiKeyIdentity | undefined> {
    const asked = askedOf(request);
    if (asked === undefined || headerOf(request, 'authorization') !== undefined) return undefined;
    const claims = await this.#claimsOf(asked.token);
    if (claims === undefined || claims.request !== asked.id.toLowerCase()) return undefined;
    const { key: id, person } = claims;
    if (person === undefined) return { id, name: 'stream token', scopes: ['requests:read'] };
    const { name, team } = person;
    return { id, kind: 'person', name, scopes: ['requests:read'], ...(team === undefined ? {} : { team }) };
  }

  async #claimsOf(token: string): Promise<Claims | undefined> {
    if (!token.startsWith(prefix) || token.length > maxLength) return undefined;
    const { secret, clock } = this.#options;
    const text = opened(token.slice(prefix.length), await secret.current());
    if (text === undefined) return undefined;
    // It is what `create` wrote: nobody else has the secret.
    const claims = JSON.parse(text) as Claims;
    return claims.untilMs > clock.now().getTime() ? claims : undefined;
  }
}

function keyOf(secret: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', 'millrace stream tokens', 32));
}

function sealed(text: string, secret: string): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', keyOf(secret), nonce);
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url');
}

/** Undefined for what was not sealed with the secret. */
function opened(token: string, secret: string): string | undefined {
  const bytes = Buffer.from(token, 'base64url');
  // What is decoded in spite of what stands between is not what was made.
  if (bytes.length <= nonceBytes + tagBytes || bytes.toString('base64url') !== token) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', keyOf(secret), bytes.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
  try {
    return decipher.update(bytes.subarray(nonceBytes + tagBytes), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    // Its tag is another's.
    return undefined;
  }
}

/** Of a request for the events of a request, with a token in its URL. */
function askedOf(request: object): { readonly id: string; readonly token: string } | undefined {
  if (!('method' in request) || request.method !== 'GET') return undefined;
  if (!('url' in request) || typeof request.url !== 'string') return undefined;
  const { url } = request;
  const path = pathOf(url);
  const id = eventsPath.exec(path)?.[1];
  const token = new URLSearchParams(url.slice(path.length)).get('token');
  return id === undefined || !isUuid(id.toLowerCase()) || token === null ? undefined : { id, token };
}
