/* Labels and buckets that several metrics have. */

export const ofStage = { owner: 'open', stage: 'open' } as const;
export const ofModel = { provider: 'open', model: 'open' } as const;
export const requestBuckets = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68,
] as const;
