/**
 * Runbooks that alerts name and that are not written yet. The links test of the alerts fails when one is missing and
 * not here, and when one is here and no longer missing.
 */
export const awaitedRunbooks: readonly string[] = [];
