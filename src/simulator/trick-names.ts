/** Every trick. */
export const trickNames = [
  /** A redirect (301, 302, 307, 308) to the decoy, another host that records whatever arrives. */
  'redirect',
  /** An answer without end: one body, events, one line of an event, headers. */
  'flood_body',
  'flood_events',
  'flood_line',
  'flood_headers',
  /** A byte now and then; nothing more after a beginning. */
  'drip',
  'stall',
  'gzip_bomb',
  'usage_absurd',
  'usage_zero',
  'usage_negative',
  /** Counts as text, and as numbers with a fraction of zero: odd, and true. */
  'usage_text',
  'usage_float',
  /** A cumulative count that becomes smaller. */
  'usage_falling',
  'error_as_answer',
  'error_before_text',
  'error_in_text',
  'echo_in_error',
  'echo_in_headers',
  'echo_in_answer',
  'truncated',
  'wrong_type',
  'refusal_with_text',
  'no_finish_reason',
  /** A refusal whose retry-after is a day, a century, in the past, or no time at all. */
  'absurd_wait',
] as const;

export type TrickName = (typeof trickNames)[number];
