import { AppError } from '../../kernel/app-error.ts';
import { isStorableText } from '../../kernel/storable-text.ts';
import type { ClaimRequest } from './claims.ts';

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const maxLeaseMs = 2 ** 31 - 1;

/**
 * The ask itself, if it can be put to the database. What several slots of a stage ask for is one row, in which a wrong ask
 * could not be distinguished from the others. Throws MILLRACE_DATA_REFUSED.
 */
export function checkedAsk(ask: ClaimRequest): ClaimRequest {
  const { stage, leaseMs, about } = ask;
  if (typeof stage !== 'string' || !isStorableText(stage)) throw refused('stage');
  if (!Number.isInteger(leaseMs) || leaseMs <= 0 || leaseMs > maxLeaseMs) throw refused('leaseMs');
  if (about !== undefined && (typeof about !== 'string' || !uuidPattern.test(about))) throw refused('about');
  return ask;
}

function refused(field: keyof ClaimRequest): AppError {
  const problem = 'is no value that the ledger can be asked with';
  return new AppError('MILLRACE_DATA_REFUSED', `A claim is refused: ${field} ${problem}`, {
    faults: [{ field, problem }],
  });
}
