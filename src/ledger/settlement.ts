export type CallOutcome = 'ok' | 'error' | 'cancelled' | 'unknown';
/** How the usage is known: the provider reported it, it was counted by us, it cost nothing, or nobody knows. */
export type Settlement = 'reported' | 'estimated' | 'free' | 'unsettled';
