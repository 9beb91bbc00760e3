/** What groups are made of, as the metrics name it. */
export type LedgerOperation = 'admit' | 'claim' | 'reserve' | 'settle' | 'finish' | 'fail';

/** Called for every group that was written: how many items shared it and how long it took. */
export type FlushObserver = (operation: LedgerOperation, size: number, durationMs: number) => void;
