import { Writable } from 'node:stream';

/** What was written to an output, as text. */
export class CapturedOutput extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
