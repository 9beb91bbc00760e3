-- The outcome of a call that nobody knows is called as its state and its settlement are. Every process is stopped while this runs, as for
-- 0029; a record that waits for its export says `unsettled` already (usage_line, in 0027).

update millrace.calls set outcome = 'unsettled' where outcome = 'unknown';
