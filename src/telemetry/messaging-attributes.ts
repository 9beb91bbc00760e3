/*
 * Names of span attributes for messages. The messaging conventions of OpenTelemetry are still in development: their
 * names stand here and nowhere else.
 */

/** Attributes of the messaging semantic conventions. */
export const messaging = {
  system: 'messaging.system',
  operationName: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  /** The stage that takes the message; of a message for several stages, its type. */
  destinationName: 'messaging.destination.name',
  messageId: 'messaging.message.id',
} as const;

export const messagingSystem = 'millrace';
