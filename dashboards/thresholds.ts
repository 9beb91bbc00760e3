/*
 * Every number at which a board changes colour or an alert fires. Boards and alert rules both read this one table,
 * so that what is red on a board is what wakes somebody. Units stand last in the names.
 */
export const thresholds = {
  deadLetters: {
    /** Normal is 0; more than this in an hour deserves a look. */
    suspiciousPerHour: 5,
    /** More than this in an hour is an outage. */
    outagePerHour: 500,
    /** The oldest dead letter that nobody has replayed or discarded. */
    undrainedAgeSeconds: 86_400,
    undrainedForMinutes: 15,
  },
  queue: {
    /** A stage with a backlog that finished nothing for this long is stalled … */
    stalledWindowMinutes: 10,
    /** … once it has lasted this much longer. */
    stalledForMinutes: 5,
    /** How long a backlog may need more than its stage's own `drainWithin`. */
    drainSlowForMinutes: 10,
    pausedForMinutes: 30,
    /** Share of a stage's slots that are taken: over the first, more workers would help. */
    busyShare: 0.8,
    saturatedShare: 0.95,
  },
  success: {
    /** Share of messages that must not fail, over 30 days. */
    sloTarget: 0.99,
    /** Times the rate that would use up the error budget in exactly 30 days. */
    fastBurnFactor: 14.4,
    slowBurnFactor: 6,
    /** Messages in the long window below which no burn alert fires. */
    minimumMessages: 50,
    fastForMinutes: 2,
    slowForMinutes: 15,
  },
  models: {
    /** Share of requests that are retries. */
    retryStormShare: 0.3,
    retryStormForMinutes: 5,
    /** Requests in five minutes below which no retry storm is called. */
    retryStormMinimumRequests: 20,
    circuitOpenForMinutes: 1,
    /** Share of requests that fail: amber, red. */
    errorShare: 0.05,
    errorOutageShare: 0.25,
    /** Share of a provider's rate limit, or of a retry budget, that is used. */
    limitNearShare: 0.8,
  },
  budgets: {
    /** A budget that lasts less than a day at the present rate is only worth an alert past this share. */
    burnShare: 0.5,
    burnForMinutes: 15,
    exhaustedShare: 1,
    /** Work was refused or put aside for want of money within this time: the budget is used up in effect. */
    refusalWindowMinutes: 60,
    /** Spend of a team, customer or feature as a multiple of its own baseline. */
    spendOverBaselineRatio: 3,
    spendOverBaselineForMinutes: 15,
    /** Share of spend that bought nothing. */
    wasteShare: 0.05,
    wasteOutageShare: 0.2,
  },
  requests: {
    /** Requests that were refused for want of room or of a store in so many minutes. */
    refused: 10,
    refusedWindowMinutes: 5,
    refusedForMinutes: 2,
    /** A request has not ended for so long. */
    oldestSeconds: 3_600,
    oldestForMinutes: 5,
    /** Share of ended requests that failed, and how many must have ended in the window. */
    failingShare: 0.2,
    failingMinimum: 20,
    failingWindowMinutes: 15,
    failingForMinutes: 5,
    /** Events of requests that were not written into their logs in so many minutes. */
    eventsDropped: 100,
    eventsWindowMinutes: 10,
    eventsForMinutes: 2,
  },
  batches: {
    /** Nothing moved for so long in a running batch that waits for nothing known. */
    quietSeconds: 1_800,
    quietForMinutes: 5,
    haltedForMinutes: 1,
    atRiskForMinutes: 10,
    /** Chunks that were given up on. */
    failedChunks: 1,
    unresolvedForMinutes: 5,
    /** The steps of a batch at a provider have failed one after another for so long. */
    hinderedSeconds: 900,
    hinderedForMinutes: 5,
    /** Providers promise a day. */
    providerBatchAgeSeconds: 86_400,
  },
  schedules: {
    failingForMinutes: 1,
    /** A run is started within a second or so. */
    overdueSeconds: 60,
    overdueForMinutes: 2,
  },
  webhooks: {
    /** A webhook has not taken what it was sent for so long. */
    waitsSeconds: 600,
    waitsForMinutes: 5,
    disabledForMinutes: 1,
  },
  metering: {
    /** Age of the oldest settled call that has not reached ClickHouse. */
    lagSeconds: 120,
    lagForMinutes: 5,
    /** With records waiting, no record flushed for this long. */
    stuckWindowMinutes: 15,
    stuckForMinutes: 5,
    /** A call of unknown outcome that nobody has reconciled. */
    unsettledAgeSeconds: 3_600,
    unsettledForMinutes: 15,
    unpricedWindowMinutes: 15,
    /** What bills have that no named cause explains. */
    reconciliationResidualUsd: 0.01,
    reconciliationForMinutes: 15,
    /** Anything less is a fault. */
    originCoverageRatio: 1,
  },
  process: {
    /** Time that the event loop kept others waiting. */
    eventLoopLagSeconds: 0.1,
    eventLoopLagOutageSeconds: 1,
    /** How full a bounded queue, buffer or label set is (P7). */
    boundNearRatio: 0.9,
    boundReachedRatio: 1,
    boundNearForMinutes: 5,
    /** A background job that failed over and over for this long, with no success in between. */
    jobFailingSeconds: 300,
    /** How far a machine's clock may be from the ledger's. */
    clockOffSeconds: 2,
    clockOffForMinutes: 1,
    /** How long a jump of a clock is worth a look. */
    clockJumpWindowMinutes: 10,
    targetDownForMinutes: 3,
    absentForMinutes: 5,
  },
} as const;
