import type { ProviderBatchApi } from './provider-batch-api.ts';
import { NotConfiguredError } from './provider-failure.ts';
import type { ProviderBatch } from './provider-batch-rows.ts';
import type { OpenAccount } from './provider-batch-steps.ts';

/** In place of the account of a batch whose provider is not configured here: whatever would ask the provider fails, and says why. */
export function absentAccount({ account: name, endpoint }: ProviderBatch): OpenAccount {
  const kind = endpoint === '/v1/messages' ? 'anthropic' : 'openai';
  return { account: { name, kind, apiKey: '' }, api: new AbsentApi(name, kind === 'openai'), isAbsent: true };
}

class AbsentApi implements ProviderBatchApi {
  readonly hasFiles: boolean;
  readonly #name: string;

  constructor(name: string, hasFiles: boolean) {
    this.#name = name;
    this.hasFiles = hasFiles;
  }

  upload(): Promise<never> {
    return this.#refuse();
  }

  findUploads(): Promise<never> {
    return this.#refuse();
  }

  create(): Promise<never> {
    return this.#refuse();
  }

  find(): Promise<never> {
    return this.#refuse();
  }

  read(): Promise<never> {
    return this.#refuse();
  }

  cancel(): Promise<never> {
    return this.#refuse();
  }

  async *results(): AsyncGenerator<never> {
    yield await this.#refuse();
  }

  remove(): Promise<never> {
    return this.#refuse();
  }

  #refuse(): Promise<never> {
    return Promise.reject(
      new NotConfiguredError(
        `The provider ${this.#name} is not configured, has no key, or its package is missing.`,
      ),
    );
  }
}
