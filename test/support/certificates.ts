import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Certificates made by openssl, of an authority of their own, for servers on 127.0.0.1; with another authority beside. */
export class Certificates {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static make(): Certificates {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-tls-'));
    chmodSync(directory, 0o755);
    const openssl = (line: string): void => {
      execFileSync('openssl', line.split(' '), { cwd: directory, stdio: 'ignore' });
    };
    for (const name of ['ours', 'other'])
      openssl(
        `req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=${name} -keyout ${name}.key -out ${name}.pem`,
      );
    openssl('req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr');
    writeFileSync(join(directory, 'names'), 'subjectAltName=IP:127.0.0.1\n');
    openssl('x509 -req -in server.csr -CA ours.pem -CAkey ours.key -days 2 -extfile names -out server.pem');
    chmodSync(join(directory, 'server.key'), 0o600);
    return new Certificates(directory);
  }

  /** Of the authority that made the server's certificate. */
  get authority(): string {
    return join(this.directory, 'ours.pem');
  }

  /** Of one that did not. */
  get otherAuthority(): string {
    return join(this.directory, 'other.pem');
  }

  get serverKey(): string {
    return join(this.directory, 'server.key');
  }

  get serverCertificate(): string {
    return join(this.directory, 'server.pem');
  }

  /** Key and certificate as node:tls takes them. */
  get server(): { readonly key: Buffer; readonly cert: Buffer } {
    return { key: readFileSync(this.serverKey), cert: readFileSync(this.serverCertificate) };
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
