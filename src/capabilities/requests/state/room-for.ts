import { type ApiKeyIdentity, shareOf } from '../../../http/api-key-identity.ts';
import { dropUnread, whenAnswered } from '../../../http/when-answered.ts';
import type { ResultRoom } from './result-room.ts';

/** A reader of a result that takes nothing for so long is dropped. */
const maxStallMs = 30_000;

/** How an answer takes room for a result: until it is sent, or its reader is gone or takes nothing. */
export function roomFor(
  room: ResultRoom,
  caller: Pick<ApiKeyIdentity, 'id'>,
  answer: object,
): (bytes: number) => void {
  return (bytes) => {
    whenAnswered(answer, room.take(bytes, shareOf(caller)));
    dropUnread(answer, maxStallMs);
  };
}
