import { AppError } from '../../kernel/app-error.ts';
import { isStorableText } from '../../kernel/storable-text.ts';
import type { StoredBody } from '../ledger/stored-message.ts';
import { type Lane, defaultLane, lanes } from './lane.ts';
import type { StageDefinition } from './stage-definition.ts';

/** Where a message stands in its stage: in which lane, and behind which others. */
export interface Placement {
  readonly lane: Lane;
  /** With the team in it: what one team calls its keys holds up no other. */
  readonly orderKey: string | undefined;
}

/** What a message is placed by, beside its data. */
export interface Placed {
  readonly lane?: Lane | undefined;
  /** Its key, whatever the stage says. */
  readonly key?: string | undefined;
  readonly team: string;
  readonly body: StoredBody;
  readonly bodyBytes: number;
}

const charactersPerToken = 4;
const maxKeyLength = 512;

/**
 * The place of a message: the lane that it was given, or the stage chooses, or `short` when its data is estimated to be
 * small; and its key, when the stage orders by one. Throws MILLRACE_MESSAGE_INVALID when the stage's own functions
 * answer something that is no lane or no key.
 */
export function placementOf(
  definition: StageDefinition,
  data: unknown,
  { lane, key: given, team, body, bodyBytes }: Placed,
): Placement {
  const characters = body.kind === 'inline' ? body.json.length : bodyBytes;
  const chosen =
    lane ?? definition.laneOf?.({ data }) ?? (isShort(definition, characters) ? 'short' : defaultLane);
  if (!lanes.includes(chosen)) throw invalid('lane', `must be one of ${lanes.join(', ')}`);
  const key = given ?? definition.orderBy?.({ data });
  if (
    key !== undefined &&
    (typeof key !== 'string' || key === '' || key.length > maxKeyLength || !isStorableText(key))
  ) {
    throw invalid(
      'orderBy',
      `must have 1 to ${maxKeyLength} characters of well-formed Unicode and no U+0000`,
    );
  }
  // A team's name may hold any character of the key's: its length says where it ends.
  return { lane: chosen, orderKey: key === undefined ? undefined : `${team.length}:${team}:${key}` };
}

function isShort({ shortBelowTokens }: StageDefinition, characters: number): boolean {
  return shortBelowTokens !== undefined && characters / charactersPerToken < shortBelowTokens;
}

function invalid(field: string, problem: string): AppError {
  return new AppError('MILLRACE_MESSAGE_INVALID', `${field} ${problem}`, { faults: [{ field, problem }] });
}
