import { expect, it } from 'vitest';
import { MillraceClientError } from './client-error.ts';
import type { MillraceClientOptions } from './client-options.ts';
import { MillraceClient } from './millrace-client.ts';

/* What a client is given is checked before anything is sent, and what is wrong is named. */

const options: MillraceClientOptions = {
  baseUrl: 'http://127.0.0.1:1',
  fetch: () => Promise.reject(new Error('nothing is sent')),
};
const client = new MillraceClient(options);
const circular: Record<string, unknown> = {};
circular['itself'] = circular;

const faultOf = async (work: () => unknown): Promise<unknown> => {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return undefined;
};

it.each([
  ['no address', () => new MillraceClient({ baseUrl: '' }), 'baseUrl'],
  ['an address without its scheme', () => new MillraceClient({ baseUrl: '127.0.0.1:8080' }), 'baseUrl'],
  ['another scheme', () => new MillraceClient({ baseUrl: 'ftp://example.com' }), 'baseUrl'],
  ['an empty key', () => new MillraceClient({ ...options, apiKey: '' }), 'apiKey'],
  ['no id', () => client.get(''), 'no id'],
  ['an id of half a character', () => client.get('\ud800'), 'no id'],
  ['a pipeline without a name', () => client.submit('..', {}), 'no name'],
  ['a negative time', () => client.submit('p', {}, { waitSeconds: -1 }), 'waitSeconds'],
  ['no number', () => client.submit('p', {}, { waitSeconds: Number.NaN }), 'waitSeconds'],
  ['data in a circle', () => client.submit('p', circular), 'JSON'],
  ['data with a BigInt', () => client.submit('p', { n: 1n }), 'JSON'],
])('refuses %s', async (_, work, named) => {
  const error = await faultOf(work);
  expect(error).toBeInstanceOf(MillraceClientError);
  expect(error).toMatchObject({ code: 'CLIENT_OPTION_INVALID', retryable: false });
  expect((error as MillraceClientError).message).toContain(named);
});
