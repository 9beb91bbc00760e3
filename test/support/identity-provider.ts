import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

/* An OpenID Connect provider on loopback: its discovery document, its keys, and tokens that it signs. */

/** Where it leads to by redirects. */
const moved = '/moved';

interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

export class IdentityProvider {
  readonly #server: Server;
  /** Those that it shows, the newest last. */
  keys: SigningKey[] = [];
  /** With which status it answers; a redirect leads to the documents. */
  status = 200;
  /** What it calls itself, when that is not its address. */
  issuer: string | undefined;
  /** How often its keys were read. */
  reads = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<IdentityProvider> {
    const server = createServer();
    const provider = new IdentityProvider(server);
    server.on('request', ({ url: asked = '' }, response) => {
      const { status } = provider;
      if (status !== 200 && !asked.startsWith(moved)) {
        response.writeHead(status, { location: `${provider.url}${moved}${asked}` }).end();
        return;
      }
      const url = asked.replace(moved, '');
      const documents: Readonly<Record<string, unknown>> = {
        '/.well-known/openid-configuration': {
          issuer: provider.issuer ?? provider.url,
          jwks_uri: `${provider.url}/keys`,
        },
        '/keys': { keys: provider.keys.map(({ jwk }) => jwk) },
      };
      if (url === '/keys') provider.reads += 1;
      const document = documents[url];
      response
        .writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' })
        .end(JSON.stringify(document));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    provider.keys.push(await signingKey('first', 'RS256'));
    return provider;
  }

  get url(): string {
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('the provider listens on a port');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Signs with a new key from now on, and shows no other. */
  async rotate(kid: string, alg = 'RS256'): Promise<void> {
    this.keys = [await signingKey(kid, alg)];
  }

  /** A token that is issued at that moment and good for five minutes, by its newest key unless another is given. */
  async token(
    now: Date,
    claims: Readonly<Record<string, unknown>> = {},
    key: SigningKey | undefined = this.keys.at(-1),
  ): Promise<string> {
    if (key === undefined) throw new Error('the provider has a key');
    const seconds = Math.floor(now.getTime() / 1000);
    return await new SignJWT({
      iss: this.url,
      aud: 'millrace',
      sub: 'user-1',
      iat: seconds,
      exp: seconds + 300,
      ...claims,
    })
      .setProtectedHeader({ alg: key.alg, kid: key.kid })
      .sign(key.privateKey);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** A key pair that can sign. */
export async function signingKey(kid: string, alg: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}
