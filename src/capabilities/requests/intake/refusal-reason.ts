import { AppError } from '../../../kernel/app-error.ts';

/** Why a request is refused, as the metrics name it. */
export type RefusalReason =
  'invalid' | 'too_large' | 'key_reused' | 'budget' | 'backlog' | 'unavailable' | 'other';

/** The reason of a refusal, by its code. */
export function refusalReason(error: unknown): RefusalReason {
  if (!(error instanceof AppError)) return 'other';
  switch (error.code) {
    case 'MILLRACE_MESSAGE_TOO_LARGE':
      return 'too_large';
    case 'MILLRACE_IDEMPOTENCY_KEY_REUSED':
      return 'key_reused';
    case 'MILLRACE_BUDGET_EXHAUSTED':
      return 'budget';
    case 'MILLRACE_REQUEST_BACKLOG':
      return 'backlog';
    default:
      if (error.status >= 500) return 'unavailable';
      return error.status >= 400 ? 'invalid' : 'other';
  }
}
