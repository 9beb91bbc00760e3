import type { Capability } from '../capability.ts';
import { messageOperationErrors } from './message-operation-errors.ts';
import { messageOperationNames } from './message-operation-names.ts';

/** Messages, seen and steered: searched, shown with their cost, waited for, cancelled, made due. */
export const messageOperations = {
  name: 'message-operations',
  errors: messageOperationErrors,
  names: messageOperationNames,
  http: async () => (await import('./message-operations.http.ts')).httpPart,
  open: async () => (await import('./open-message-operations.ts')).openMessageOperations,
} as const satisfies Capability;
