import { AppError, type Fault } from '../../../kernel/app-error.ts';
import { isPrintableName } from '../../../kernel/printable-name.ts';
import type { ItemValidator } from './batch-validator.ts';

export const maxValidatorName = 128;

/** The validators of this process, by their names. */
export class BatchValidators {
  readonly #validators = new Map<string, ItemValidator>();

  /** Registers validators, before work begins. Throws MILLRACE_CONFIG_INVALID with every fault: names that are no names, or of two. */
  register(validators: readonly { readonly name: string; readonly validator: ItemValidator }[]): void {
    const faults: Fault[] = [];
    for (const { name, validator } of validators) {
      const field = `batchValidators.${name}`;
      if (this.#validators.has(name)) faults.push({ field, problem: 'two validators have this name' });
      else if (name === '' || name.length > maxValidatorName || !isPrintableName(name))
        faults.push({ field, problem: `a name has 1 to ${maxValidatorName} printable characters` });
      this.#validators.set(name, validator);
    }
    if (faults.length > 0)
      throw new AppError(
        'MILLRACE_CONFIG_INVALID',
        `Validators of batches: ${faults.map(({ field, problem }) => `${field}: ${problem}`).join('; ')}`,
        { faults },
      );
  }

  find(name: string): ItemValidator | undefined {
    return this.#validators.get(name);
  }

  /** In their order. */
  get names(): readonly string[] {
    return [...this.#validators.keys()].toSorted();
  }
}
