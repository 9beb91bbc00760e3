/* What is asked of a request by code that must run on any of Nest's platforms. */

/** The path of a request's URL, without its query, which may name customers. */
export function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  return end === -1 ? url : url.slice(0, end);
}

/** Tokens that stand in paths: whoever has one may answer a wait (docs/joins.md). */
const tokenInPath = /(?<=\/)mw_[^/]+|(?<=\/v1\/waits\/)[^/]+/g;

/**
 * The path as logs and answers show it: without tokens that stand in it, which are good as long as what they are for waits, however they are
 * written.
 */
export function shownPathOf(url: string): string {
  const path = pathOf(url);
  const meant = path.includes('%') ? decoded(path) : path;
  const shown = meant.replaceAll(tokenInPath, 'mw_…');
  return shown === meant ? path : shown;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // No route takes it.
    return path;
  }
}

/** The request's id, when the platform gave it one. */
export function requestIdOf(request: object): string | undefined {
  return 'id' in request && typeof request.id === 'string' ? request.id : undefined;
}

/** A header that is there once. */
export function headerOf(request: object, name: string): string | undefined {
  if (!('headers' in request) || typeof request.headers !== 'object' || request.headers === null)
    return undefined;
  const value: unknown = Reflect.get(request.headers, name);
  return typeof value === 'string' ? value : undefined;
}

/** The address of the other end of the connection. */
export function remoteAddressOf(request: object): string | undefined {
  if (!('socket' in request) || typeof request.socket !== 'object' || request.socket === null)
    return undefined;
  const address: unknown = Reflect.get(request.socket, 'remoteAddress');
  return typeof address === 'string' ? address : undefined;
}
