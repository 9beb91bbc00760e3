import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { headerOf, pathOf } from '../../../http/request-facts.ts';
import type { UrlTokens } from '../../../http/url-tokens.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { isUuid, type Uuid } from '../../../kernel/ids.ts';
import type { StreamTokenSecret } from './stream-token-secret.ts';

/*
 * Tokens for `EventSource`, which sends no headers: each is good for reading the events of one request, for some minutes, by whoever has it. It says
 * whose key it was made with, so that what it does counts to that key, and is signed with a secret that all API processes know.
 *
 *   mrs_<base64url of request, key, team, name, end>.<base64url of HMAC-SHA256>
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
const eventsPath = /^\/v1\/requests\/([0-9a-fA-F-]{36})\/events$/;

interface Claims {
  readonly request: Uuid;
  readonly key: Uuid;
  readonly name: string;
  readonly team?: string | undefined;
  readonly untilMs: number;
}

export class StreamTokens implements UrlTokens {
  readonly #options: StreamTokensOptions;

  constructor(options: StreamTokensOptions) {
    this.#options = options;
  }

  /** Makes a token for one who may see the request. */
  async create(request: Uuid, { id, name, team }: ApiKeyIdentity): Promise<StreamToken> {
    const { clock, lifeMs, secret } = this.#options;
    const untilMs = clock.now().getTime() + lifeMs;
    const claims: Claims = { request, key: id, name, ...(team === undefined ? {} : { team }), untilMs };
    const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
    const token = `${prefix}${body}.${signatureOf(body, await secret.current())}`;
    return { token, expiresAt: new Date(untilMs) };
  }

  /** A header counts for more: it can do more, and is what the client meant. */
  async identify(request: object): Promise<ApiKeyIdentity | undefined> {
    const asked = askedOf(request);
    if (asked === undefined || headerOf(request, 'authorization') !== undefined) return undefined;
    const claims = await this.#claimsOf(asked.token);
    if (claims === undefined || claims.request !== asked.id.toLowerCase()) return undefined;
    const { key, name, team } = claims;
    return { id: key, name, scopes: ['requests:read'], ...(team === undefined ? {} : { team }) };
  }

  async #claimsOf(token: string): Promise<Claims | undefined> {
    if (!token.startsWith(prefix) || token.length > maxLength) return undefined;
    const [body = '', signature = ''] = token.slice(prefix.length).split('.');
    const { secret, clock } = this.#options;
    const expected = Buffer.from(signatureOf(body, await secret.current()));
    const given = Buffer.from(signature);
    if (expected.length !== given.length || !timingSafeEqual(expected, given)) return undefined;
    // It is what `create` wrote: nobody else can sign.
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims;
    return claims.untilMs > clock.now().getTime() ? claims : undefined;
  }
}

function signatureOf(body: string, secret: string): string {
  return createHmac('sha256', secret).update(body).digest('base64url');
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
