-- Answers that were no use, and what was asked with.

alter table millrace.messages
  -- Attempts that failed by a degenerate answer; they have a budget of their own and are not in `attempts`.
  add column degenerate_attempts integer not null default 0;

alter table millrace.calls
  -- When the answer was found to be of no use: it is never given again. What it cost stays, as waste.
  add column rejected_at timestamptz,
  -- What the answer can depend on besides the prompt: seed, temperature, limits, …; JSON, bounded.
  add column parameters text;
