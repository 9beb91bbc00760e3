import { loadOptional } from '../../../kernel/optional-package.ts';
import type { ProviderBatchAccount } from './provider-batch-account.ts';
import type { ProviderBatchApi } from './provider-batch-api.ts';

/**
 * Opens the account's batches through the provider's own SDK. Throws MILLRACE_PACKAGE_MISSING, with the command that installs it,
 * when it is not installed.
 */
export async function openProviderBatchApi(account: ProviderBatchAccount): Promise<ProviderBatchApi> {
  switch (account.kind) {
    case 'openai':
      return await loadOptional("OpenAI's batches", ['openai'], async () => {
        const { OpenaiBatchApi } = await import('./provider-batch-api.openai.ts');
        return new OpenaiBatchApi(account);
      });
    case 'anthropic':
      return await loadOptional("Anthropic's batches", ['@anthropic-ai/sdk'], async () => {
        const { AnthropicBatchApi } = await import('./provider-batch-api.anthropic.ts');
        return new AnthropicBatchApi(account);
      });
  }
}
