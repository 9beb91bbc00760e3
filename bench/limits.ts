import { setTimeout as pause } from 'node:timers/promises';
import { Limited, LimitedHosts } from '../test/support/limited-hosts.ts';
import { benchOptions } from './bench-options.ts';

const help = `node bench/limits.ts [--seconds 75] [--tokens 60000] [--hosts 2] [--load 5] [--median-ms 400] [--baseline]

What the provider sees of several hosts that share a limit of tokens a minute while five times as much is offered: how
many of its answers are 429, and which share of the allowed tokens was used. Allowed is what an even refill gives in
the time, and the full bucket at the start. Beside it the same without a configured limit: then only the provider's
refusals hold the hosts back.
`;

const flags = benchOptions(help, {
  seconds: { type: 'string', default: '75' },
  tokens: { type: 'string', default: '60000' },
  hosts: { type: 'string', default: '2' },
  load: { type: 'string', default: '5' },
  'median-ms': { type: 'string', default: '400' },
  baseline: { type: 'boolean', default: false },
});
const seconds = Number(flags.seconds);
const tokensPerMinute = Number(flags.tokens);
const load = Number(flags.load);
const medianMs = Number(flags['median-ms']);
/** What a request of this workload uses, about: it only sets the pace of the offer. */
const tokensPerRequest = 460;
const stepMs = 250;

interface Measured {
  readonly refusedShare: number;
  readonly utilisation: number;
}

async function measure(isConfigured: boolean): Promise<Measured> {
  const run = await LimitedHosts.start({
    tokensPerMinute,
    hosts: Number(flags.hosts),
    latency: { medianMs, p99Ms: medianMs * 3 },
    isConfigured,
  });
  try {
    const startedMs = performance.now();
    let offered = 0;
    for (;;) {
      const elapsedMs = performance.now() - startedMs;
      if (elapsedMs >= seconds * 1000) break;
      const due = Math.ceil((load * tokensPerMinute * (elapsedMs + stepMs)) / 60_000 / tokensPerRequest);
      await run.admit(Limited.v1, due - offered);
      offered = due;
      await pause(stepMs);
    }
    const { answered, refused, tokens, allowed } = await run.look();
    const measured = { refusedShare: refused / (answered + refused), utilisation: tokens / allowed };
    console.log(
      `${isConfigured ? 'limit configured:    ' : 'refusals only:       '} ${answered} answered, ${refused} refused with 429 ` +
        `(${(measured.refusedShare * 100).toFixed(2)} %), ${tokens} of ${Math.round(allowed)} allowed tokens used ` +
        `(${(measured.utilisation * 100).toFixed(1)} %), ${Math.round(tokens / answered)} tokens a request, offered ${offered} requests`,
    );
    return measured;
  } finally {
    await run.stop();
  }
}

const configured = await measure(true);
if (flags.baseline) {
  const unconfigured = await measure(false);
  console.log(
    `429s with the limit configured against refusals only: ratio ${(configured.refusedShare / unconfigured.refusedShare).toFixed(3)}`,
  );
}
