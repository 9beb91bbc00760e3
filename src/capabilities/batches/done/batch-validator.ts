import { Injectable, SetMetadata, applyDecorators } from '@nestjs/common';

/** Under which key a validator's class carries its name. */
export const validatorMetadata = 'millrace:batch-validator';

/** An item of a batch that a validator is shown. */
export interface ValidatedItem {
  readonly batch: string;
  /** Its id in the batch. */
  readonly id: string;
  /** From 1, in the order of the input. */
  readonly position: number;
  readonly team: string;
  readonly customer: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What was sent; undefined when its message is gone. */
  readonly data: unknown;
}

/** What a validator says of an item. */
export interface Validation {
  readonly ok: boolean;
  /** Why not; it is shown with the item. */
  readonly reason?: string;
}

/**
 * Says whether what a batch made of an item is good. It may be asked more than once about one item, of which one answer counts. After an
 * error, or no answer before the signal aborts, it is asked again a few times; then the check has failed. So has it, at once, with an answer
 * that is no `Validation`.
 */
export interface ItemValidator {
  validate(
    item: ValidatedItem,
    outputs: readonly unknown[],
    signal: AbortSignal,
  ): Validation | Promise<Validation>;
}

/**
 * Marks a class as a validator of batches, which name it in `settings.quality.validator`. It is an ordinary Nest provider: list it in
 * a module's `providers`, and whatever its constructor asks for is injected.
 */
export function BatchValidator(
  name: string,
): (target: abstract new (...args: never[]) => ItemValidator) => void {
  const decorate = applyDecorators(Injectable(), SetMetadata(validatorMetadata, name));
  return (target) => {
    decorate(target);
  };
}
