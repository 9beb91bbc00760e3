import { EventEmitter, once } from 'node:events';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import type { BatchIntake } from './batch-intake.ts';
import type { BatchInput } from './input/input-records.ts';
import { BatchIntakeController } from './intake.controller.ts';

it('gives up what is read of an upload when its connection ends, and listens no longer once it is answered', async () => {
  const socket = new EventEmitter();
  const request = { headers: { 'content-type': 'application/x-ndjson' }, socket };
  const begun: AbortSignal[] = [];
  const intake: Pick<BatchIntake, 'upload'> = {
    upload: async (_id: string, { signal }: BatchInput) => {
      if (signal === undefined) throw new Error('nobody says when the connection ends');
      begun.push(signal);
      if (!signal.aborted) await once(signal, 'abort');
      throw signal.reason;
    },
  };
  const caller = { team: 'blue' } as ApiKeyIdentity;
  const controller = new BatchIntakeController(intake as BatchIntake);
  const answer = controller.upload('b', {}, Readable.from(['']), request, caller);
  socket.emit('close');
  await expect(answer).rejects.toMatchObject({ code: 'MILLRACE_REQUEST_INVALID' });
  expect(begun).toHaveLength(1);
  expect(socket.listenerCount('close')).toBe(0);
  const late = controller.upload('b', {}, Readable.from(['']), { ...request, socket: closed() }, caller);
  await expect(late).rejects.toMatchObject({ code: 'MILLRACE_REQUEST_INVALID' });
});

function closed(): EventEmitter {
  return Object.assign(new EventEmitter(), { destroyed: true });
}
