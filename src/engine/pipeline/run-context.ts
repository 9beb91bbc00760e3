import { durationMs } from '../../kernel/duration.ts';
import { invariant } from '../../kernel/invariant.ts';
import { isStorableText } from '../../kernel/storable-text.ts';
import type { EventWaits } from '../ledger/event-waits.ts';
import { AppError } from '../../kernel/app-error.ts';
import { InvalidOutput, findInvalidOutput } from '../invalid-output.ts';
import type { LeasedMessage } from '../ledger/stored-message.ts';
import type { CallGroup } from '../calls/metered-models.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Emissions } from './emissions.ts';
import { newEventToken } from './event-wait-token.ts';
import type { Joined } from './joined.ts';
import type { RunObserver } from './run-observer.ts';
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
  readonly joined: Joined | undefined;
  readonly eventWaits: Pick<EventWaits, 'issue'>;
  readonly observer: RunObserver | undefined;
}

const longestWaitMs = 366 * 86_400_000;
const maxNoteLength = 500;

/** What the handler of one run works with. */
export function contextOf({
  definition: { seed },
  message,
  logger,
  signal,
  scope,
  emissions,
  joined,
  eventWaits,
  observer,
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
    progress: (share) => {
      invariant(share >= 0 && share <= 1, `progress is a number from 0 to 1, not ${String(share)}`);
      observer?.progress(share);
    },
    reject: (reason, options = {}) => {
      throw new InvalidOutput(reason, options);
    },
    emit: (version, data, options) => emitAfter(scope, () => emissions.add(version, data, options)),
    join: (version, data, { of, quorum, timeout, until }) =>
      emitAfter(scope, () =>
        emissions.join(version, data, {
          of,
          quorum,
          timeoutMs: timeout === undefined ? undefined : durationMs(timeout),
          isMessageOnly: until === 'message',
        }),
      ),
    waitFor: async (version, { timeout = '7d', otherwise, note } = {}) => {
      const timeoutMs = durationMs(timeout);
      invariant(
        timeoutMs > 0 && timeoutMs <= longestWaitMs,
        'a wait takes more than no time, and at most a year',
      );
      invariant(
        note === undefined || (note.length <= maxNoteLength && isStorableText(note)),
        `a note has at most ${maxNoteLength} characters of well-formed Unicode and no U+0000`,
      );
      const { emitted, id } = emitAfter(scope, () =>
        emissions.awaitEvent(version, { timeoutMs, note, otherwise }),
      );
      const token = newEventToken();
      // Good before anybody can be told of it, and whichever attempt it is that ends well.
      await eventWaits.issue(token, id);
      return Object.assign(emitted, { id, token });
    },
    joined,
  };
}

/** What does not fit its schema after a model was asked is the model's doing as far as anybody can tell. */
function emitAfter<Answer>(scope: CallGroup, emit: () => Answer): Answer {
  try {
    return emit();
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
