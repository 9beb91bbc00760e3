/**
 * Takes room for so many bytes of a result before it is read; whoever is answered gives it back. Throws MILLRACE_OVERLOADED and
 * MILLRACE_RATE_LIMITED where there is none.
 */
export type TakeRoom = (bytes: number) => void;
