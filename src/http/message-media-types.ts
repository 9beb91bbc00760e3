/* How messages come over HTTP. */

export const plainMediaType = 'application/json';
export const eventMediaType = 'application/cloudevents+json';
export const batchMediaType = 'application/cloudevents-batch+json';
export const maxBatchEvents = 1_000;
