import type { GateEnd, GatePass } from './call-gate.ts';

/*
 * One way through the gates for a request that several calls share. The first call passes them, the others wait for that; each
 * gets a pass of its own. The gates learn how the request ended when the last of the calls has.
 */
export class SharedPass {
  readonly #calls: number;
  readonly #ends: GateEnd[] = [];
  #entering: Promise<GatePass | undefined> | undefined;
  #whole: GatePass | undefined;

  constructor(calls: number) {
    this.#calls = calls;
  }

  /** A call's own pass. Throws what the gates throw, for every call. */
  async enter(passGates: () => Promise<GatePass | undefined>): Promise<GatePass | undefined> {
    this.#entering ??= passGates();
    const whole = await this.#entering;
    this.#whole = whole;
    if (whole === undefined) return undefined;
    let hasEnded = false;
    return {
      end: (end) => {
        if (hasEnded) return;
        hasEnded = true;
        this.#end(end);
      },
      parkedBy: (failure) => whole.parkedBy?.(failure),
    };
  }

  /** A call that never got a pass is out of it. */
  skip(): void {
    this.#end({ kind: 'not_sent' });
  }

  #end(end: GateEnd): void {
    this.#ends.push(end);
    if (this.#ends.length === this.#calls) this.#whole?.end(wholeEnd(this.#ends));
  }
}

/** How the request ended: with its tokens together, and as a failure where no call got an answer. */
function wholeEnd(ends: readonly GateEnd[]): GateEnd {
  const sent = ends.filter((end) => end.kind === 'sent');
  const [first] = sent;
  if (first === undefined) return { kind: 'not_sent' };
  // A call that was stopped by itself says nothing of the request.
  const told =
    sent.find(({ failure }) => failure === undefined) ??
    sent.find(({ failure }) => failure !== 'aborted') ??
    first;
  const counted = sent.flatMap(({ tokens }) => (tokens === undefined ? [] : [tokens]));
  return {
    ...told,
    tokens: counted.length === 0 ? undefined : counted.reduce((sum, tokens) => sum + tokens, 0),
  };
}
