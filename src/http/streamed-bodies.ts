/*
 * Routes whose bodies are handed on as they arrive, however large, instead of being read first. Whoever takes one bounds its bytes; the door
 * bounds how long it may take and how many there are at once.
 */

export const jsonLinesMediaType = 'application/x-ndjson';
export const csvMediaType = 'text/csv';
export const parquetMediaType = 'application/vnd.apache.parquet';
export const protobufMediaType = 'application/x-protobuf';

/** The media types that such a route takes, by the route. */
export const streamedBodies: ReadonlyMap<string, readonly string[]> = new Map([
  ['/v1/batches/:id/items', [jsonLinesMediaType, csvMediaType, parquetMediaType]],
  ['/v1/traces', [protobufMediaType]],
]);
