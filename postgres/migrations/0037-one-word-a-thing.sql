-- The outcome of a call that nobody knows is called as its state and its settlement are. Every process is stopped while this runs, as for
-- 0029; a record that waits for its export says `unsettled` already (usage_line, in 0027).

update millrace.calls set outcome = 'unsettled' where outcome = 'unknown';

-- What a provider asks for with a 429 is a cool-down; a block is what keeps messages from being claimed.
alter table millrace.model_limits rename column blocked_until to cooldown_until;
