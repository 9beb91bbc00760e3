/** Thrown when the program itself is wrong. Never caught to go on; it is a bug to fix. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Fails with an InvariantError unless the condition holds. For programmer errors only. */
export function invariant(condition: unknown, what: string): asserts condition {
  if (!condition) throw new InvariantError(`Invariant broken: ${what}`);
}
