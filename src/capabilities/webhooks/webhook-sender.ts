import { isOpenTo } from '../../engine/ledger/webhook-names.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { AddressPolicy } from './address-policy.ts';
import type { ClaimedDelivery, EndedAttempt } from './delivery-store.ts';
import { pauseSeconds, slowSeconds } from './retry-ladder.ts';
import { type SentRequest, sendWebhook } from './send-webhook.ts';
import { signedRequest } from './signed-request.ts';
import { type SigningKey, signingKeyOf } from './webhook-secret.ts';
import type { WebhooksSettings } from './webhook-settings.ts';

export interface WebhookSenderOptions {
  readonly settings: Pick<WebhooksSettings, 'endpoints'>;
  readonly policy: AddressPolicy;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
}

interface Target {
  readonly url: string;
  readonly keys: readonly SigningKey[];
  /** Whether its address has to be one that callers may name. */
  readonly isChecked: boolean;
}

const gone = 410;

/** Makes single attempts. */
export class WebhookSender {
  readonly #options: WebhookSenderOptions;

  constructor(options: WebhookSenderOptions) {
    this.#options = options;
  }

  /** Makes one attempt; never throws for what the other side does. */
  async send(delivery: ClaimedDelivery, stopping: AbortSignal): Promise<EndedAttempt> {
    const { clock, random } = this.#options;
    const at = clock.now();
    const beganMs = clock.monotonicMs();
    const sent = await this.#sendTo(this.#targetOf(delivery), delivery, stopping);
    const { status, retryAfter, excerpt, problem } = sent;
    const { id, attempt, step } = delivery;
    return {
      id,
      attempt,
      at,
      durationMs: Math.round(clock.monotonicMs() - beganMs),
      status,
      excerpt,
      problem,
      result: problem === undefined ? 'delivered' : status === gone ? 'gone' : 'failed',
      pauseSeconds: pauseSeconds(step, random()),
      slowSeconds: slowSeconds(status, retryAfter, clock.now()),
    };
  }

  async #sendTo(
    target: Target | { readonly problem: string },
    { event, body }: ClaimedDelivery,
    stopping: AbortSignal,
  ): Promise<SentRequest> {
    if ('problem' in target) return target;
    const { clock, policy } = this.#options;
    const { url, keys, isChecked } = target;
    const refused = isChecked ? policy.problemOf(url) : undefined;
    if (refused !== undefined) return { problem: `its address ${refused}` };
    const request = signedRequest({ id: event, body }, keys, clock.now());
    return await sendWebhook(url, request, {
      clock,
      stopping,
      lookup: isChecked ? policy.lookup : undefined,
    });
  }

  #targetOf(delivery: ClaimedDelivery): Target | { readonly problem: string } {
    const { kind, name, url, secret, previous_secret: previous, event_team: team } = delivery;
    if (kind === 'configured') {
      const { endpoints } = this.#options.settings;
      const webhook = isOpenTo(endpoints, name, team) ? endpoints[name] : undefined;
      if (webhook === undefined) return { problem: 'no webhook of this name is configured for the team' };
      return {
        url: webhook.url,
        keys: [{ scheme: 'v1', bytes: webhook.secret.bytes }],
        isChecked: false,
      };
    }
    const keys = [secret, previous].flatMap((text) => {
      const key = text === null ? undefined : signingKeyOf(text);
      return key === undefined ? [] : [key];
    });
    if (url === null || keys.length === 0) return { problem: 'it has no address or no secret' };
    return { url, keys, isChecked: true };
  }
}
