import { AppError } from '../../kernel/app-error.ts';
import { InvalidOutput, findInvalidOutput } from '../invalid-output.ts';
import type { LeasedMessage } from '../ledger/stored-message.ts';
import type { CallGroup } from '../calls/metered-models.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Emissions } from './emissions.ts';
import { failureKind, quotedAnswer } from './failure-kind.ts';
import type { StageContext } from './stage-context.ts';
import type { StageDefinition } from './stage-definition.ts';

interface ContextParts {
  readonly definition: StageDefinition;
  readonly message: LeasedMessage;
  readonly logger: () => Logger;
  readonly signal: AbortSignal;
  readonly scope: CallGroup;
  readonly emissions: Emissions;
}

/** What the handler of one run works with. */
export function contextOf({
  definition: { seed },
  message,
  logger,
  signal,
  scope,
  emissions,
}: ContextParts): StageContext {
  return {
    signal,
    attempt: attemptOf(message),
    get logger() {
      return logger();
    },
    model: (reference, { accept, validate, ...use }) =>
      scope.languageModel(reference, {
        ...(seed === undefined ? {} : { seed }),
        ...use,
        rules: {
          ...(accept === undefined ? {} : { accept }),
          ...(validate === undefined ? {} : { validate }),
        },
      }),
    cascade: (references, { accept, validate, ...use }) =>
      scope.cascade(references, accept, {
        ...(seed === undefined ? {} : { seed }),
        ...use,
        rules: validate === undefined ? {} : { validate },
      }),
    embeddingModel: (reference, options) => scope.embeddingModel(reference, options),
    reject: (reason, options = {}) => {
      throw new InvalidOutput(reason, options);
    },
    emit: (version, data, options) => emitAfter(scope, () => emissions.add(version, data, options)),
  };
}

/** What does not fit its schema after a model was asked is the model's doing as far as anybody can tell. */
function emitAfter(scope: CallGroup, emit: () => void): void {
  try {
    emit();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'MILLRACE_MESSAGE_INVALID' || scope.given.isEmpty)
      throw error;
    throw new InvalidOutput(`What came of a model's answer cannot be emitted: ${error.message}`, {
      cause: error,
    });
  }
}

/** Takes the answer that the error complains about out of the journal, so that the next attempt asks anew. */
export async function invalidateOutput(scope: CallGroup, error: unknown): Promise<void> {
  if (failureKind(error) !== 'invalid_output') return;
  const invalidOutput = findInvalidOutput(error);
  if (invalidOutput?.isMarked === true) return;
  await scope.given.reject({ step: invalidOutput?.step, text: quotedAnswer(error) });
}

/** Which attempt of the message this is, from 1. */
export function attemptOf({ attempts, invalidOutputAttempts }: LeasedMessage): number {
  return attempts + invalidOutputAttempts + 1;
}
