import { Injectable, SetMetadata, applyDecorators } from '@nestjs/common';
import type { MessageVersion } from '../../messages/message-type.ts';
import type { StageDefinition } from './stage-definition.ts';
import type { StageHandler } from './stage-context.ts';

/** Under which key a handler class carries its stage's definition. */
export const stageMetadata = 'millrace:stage';

/**
 * Marks a class as the handler of a stage. It is an ordinary Nest provider: list it in a module's `providers`, and
 * whatever its constructor asks for is injected.
 */
export function Stage<Data, Emits extends readonly MessageVersion[]>(
  definition: StageDefinition<Data, Emits>,
): (target: abstract new (...args: never[]) => StageHandler<Data>) => void {
  const decorate = applyDecorators(Injectable(), SetMetadata(stageMetadata, definition));
  return (target) => {
    decorate(target);
  };
}
