/** The injection token of the clock that the controller asks. */
export const clockToken = Symbol('millrace:clock');
